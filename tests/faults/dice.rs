//! Chance that can be had again: `WABOOK_FAULTS_SEED=…` repeats a run as far as threads and disks allow.

/// SplitMix64: the same throws for the same seed.
pub struct Dice(u64);

impl Dice {
    /// New chance for every run, with the seed told.
    pub fn thrown(what: &str) -> Self {
        let given = std::env::var_os("WABOOK_FAULTS_SEED").map(|seed| seed.to_str().unwrap().parse().unwrap());
        let seed = given.unwrap_or_else(|| getrandom::u64().unwrap());
        println!("{what}: WABOOK_FAULTS_SEED={seed}");
        Self(seed)
    }

    /// The chance of one of many, who do not disturb each other.
    pub fn for_one(&mut self) -> Self {
        Self(self.bits())
    }

    pub fn below(&mut self, sides: usize) -> usize {
        usize::try_from(self.bits() % sides as u64).unwrap()
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}
