//! Schedules from text, and what they draw.
