//! Room on the disk that holds the log: noticed before anything is lost. Absent: freeing it.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

/// From this share on, health warns.
pub const WARN_PERCENT: u8 = 70;
/// From this share on, nothing new is taken.
pub const REFUSE_PERCENT: u8 = 95;

/// How full the disk is, as last measured.
#[derive(Debug, Default)]
pub(super) struct Space {
    used_percent: AtomicU8,
    trend: Mutex<Option<Trend>>,
}

#[derive(Debug, Clone, Copy)]
struct Trend {
    at: Instant,
    free: u64,
    total: u64,
    /// Bytes per second, smoothed.
    rate: f64,
}

impl Space {
    /// Measures the disk under `folder`. A disk that cannot be measured is taken as before.
    pub fn measure(&self, folder: &Path) {
        let (Ok(free), Ok(total)) = (fs4::available_space(folder), fs4::total_space(folder)) else {
            return;
        };
        let used = total.saturating_sub(free).saturating_mul(100).checked_div(total).unwrap_or_default();
        let used = u8::try_from(used).unwrap_or(100);
        self.used_percent.store(used, Ordering::Release);
        metrics::gauge!("tollgate_disk_used_percent").set(f64::from(used));
        let mut trend = self.trend.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = Instant::now();
        let rate = trend.map_or(0.0, |before| {
            let seconds = now.duration_since(before.at).as_secs_f64().max(0.001);
            let grown = float(before.free) - float(free);
            0.8 * before.rate + 0.2 * (grown / seconds)
        });
        *trend = Some(Trend { at: now, free, total, rate });
    }

    pub fn used_percent(&self) -> u8 {
        self.used_percent.load(Ordering::Acquire)
    }

    pub fn is_full(&self) -> bool {
        self.used_percent() >= REFUSE_PERCENT
    }

    /// Minutes until new entries are refused, at the rate seen lately; `None` while the disk is not filling.
    pub fn minutes_left(&self) -> Option<u64> {
        let trend = (*self.trend.lock().unwrap_or_else(std::sync::PoisonError::into_inner))?;
        let reserve = float(trend.total) * f64::from(100 - REFUSE_PERCENT) / 100.0;
        let room = (float(trend.free) - reserve).max(0.0);
        (trend.rate > 1.0).then(|| whole(room / trend.rate / 60.0))
    }

    #[cfg(test)]
    pub fn pretend(&self, used_percent: u8) {
        self.used_percent.store(used_percent, Ordering::Release);
    }
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a disk, for an estimate in minutes")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and an estimate")]
fn whole(minutes: f64) -> u64 {
    minutes as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_disk_is_measured() {
        let space = Space::default();
        space.measure(&std::env::temp_dir());
        assert!(space.used_percent() <= 100);
        assert!(space.trend.lock().unwrap().is_some_and(|trend| trend.total > 0));
        space.measure(Path::new("/does/not/exist"));
        space.pretend(96);
        assert!(space.is_full());
    }
}
