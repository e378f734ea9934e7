//! The models' own source of chance (splitmix64): a run is a function of its seed.

pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
    pub(crate) fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.roll((to - from) as u64) as i64
    }
}
