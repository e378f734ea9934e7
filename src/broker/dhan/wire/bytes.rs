//! Little-endian reads at fixed offsets. The caller has checked the length.

pub(super) fn u16_at(p: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([p[at], p[at + 1]])
}
pub(super) fn u32_at(p: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([p[at], p[at + 1], p[at + 2], p[at + 3]])
}
pub(super) fn f32_at(p: &[u8], at: usize) -> f32 {
    f32::from_bits(u32_at(p, at))
}
pub(super) fn f64_at(p: &[u8], at: usize) -> f64 {
    f64::from_bits(u64::from(u32_at(p, at)) | u64::from(u32_at(p, at + 4)) << 32)
}
