//! A progress bar with rate and time to go, on a terminal only.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the bar is drawn.
const DRAW: Duration = Duration::from_millis(200);

/// Runs `work` while a bar follows `done` up to `total`.
pub fn watch<T: Send>(label: &str, total: u64, done: &AtomicU64, work: impl FnOnce() -> T + Send) -> T {
    if !std::io::stderr().is_terminal() {
        return work();
    }
    let bar = ProgressBar::with_draw_target(Some(total.max(1)), ProgressDrawTarget::stderr());
    let template = "{msg} {wide_bar} {human_pos}/{human_len} ticks  {per_sec}  ETA {eta}";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
    bar.set_message(label.to_owned());
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let drawer = scope.spawn(|| {
            while !finished.load(Ordering::Acquire) {
                bar.set_position(done.load(Ordering::Relaxed));
                std::thread::park_timeout(DRAW);
            }
        });
        let result = work();
        finished.store(true, Ordering::Release);
        drawer.thread().unpark();
        bar.finish_and_clear();
        result
    })
}
