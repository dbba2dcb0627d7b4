//! Chance that can be had again: the same seed gives the same day.

/// A small generator of numbers that look random (`SplitMix64`). Nothing secret may come from it.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// A generator for a purpose: the same `parts` give the same numbers.
    #[must_use]
    pub fn of(parts: &[u64]) -> Self {
        let mut dice = Self(0x5bd1_e995_9e37_79b9);
        for part in parts {
            dice.0 = dice.0.wrapping_add(*part);
            dice.0 = dice.next();
        }
        dice
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, not including, 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `low` to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Around `middle`, seldom farther from it than `width`.
    pub fn around(&mut self, middle: f64, width: f64) -> f64 {
        middle + (self.unit() + self.unit() + self.unit() - 1.5) / 1.5 * width
    }

    /// True so often.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of these; `None` of none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = self.next().checked_rem(from.len() as u64)?;
        from.get(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_throws_the_same() {
        let throw = |parts: &[u64]| {
            let mut dice = Dice::of(parts);
            (0..10).map(|_| dice.next()).collect::<Vec<_>>()
        };
        assert_eq!(throw(&[1, 2]), throw(&[1, 2]));
        assert_ne!(throw(&[1, 2]), throw(&[2, 1]));
        let mut dice = Dice::of(&[7]);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&dice.unit())));
        assert!((0..1000).all(|_| (7.0..=9.0).contains(&dice.around(8.0, 1.0))));
        assert_eq!(dice.pick::<u8>(&[]), None);
    }
}
