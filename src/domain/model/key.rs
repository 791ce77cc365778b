//! 64-bit floats as integers of the same order: comparing those takes a processor less time, and leaves the carry that
//! a walk adds to where it stands. Absent: anything but order; -0 and 0 are one key, as they are equal.

/// A float by its place in the order of all floats. What is no number stands above all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

const SIGN: u64 = 1 << 63;

impl Key {
    /// Below every number, minus infinity too.
    pub const LEAST: Self = Self(0);

    #[inline]
    pub fn of(x: f64) -> Self {
        // -0 and 0 give 0.
        let bits = (x + 0.0).to_bits();
        let flipped = bits ^ if bits & SIGN == 0 { SIGN } else { u64::MAX };
        Self(if x.is_nan() { u64::MAX } else { flipped })
    }

    /// The float again; -0 has become 0.
    pub fn number(self) -> f64 {
        f64::from_bits(self.0 ^ if self.0 & SIGN == 0 { u64::MAX } else { SIGN })
    }

    /// Any 64 bits, in a place that no number is compared with.
    pub fn holding(x: f64) -> Self {
        Self(x.to_bits())
    }

    /// What [`Key::holding`] holds.
    #[inline]
    pub fn held(self) -> f64 {
        f64::from_bits(self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_ordered_as_floats_are(x in any::<f64>(), y in any::<f64>()) {
            prop_assert_eq!(Key::of(x) <= Key::of(y), x <= y);
            prop_assert_eq!(Key::of(x).number().to_bits(), (x + 0.0).to_bits());
            prop_assert_eq!(Key::holding(x).held().to_bits(), x.to_bits());
        }
    }

    #[test]
    fn the_edges_of_floats_have_their_places() {
        let edges = [
            f64::NEG_INFINITY,
            f64::MIN,
            -f64::MIN_POSITIVE,
            -f64::from_bits(1),
            0.0,
            f64::from_bits(1),
            f64::MIN_POSITIVE,
            f64::MAX,
            f64::INFINITY,
        ];
        assert!(edges.windows(2).all(|pair| Key::of(pair[0]) < Key::of(pair[1])));
        assert_eq!(Key::of(-0.0), Key::of(0.0));
        assert!(Key::LEAST < Key::of(f64::NEG_INFINITY));
        for nan in [f64::NAN, -f64::NAN] {
            assert!(Key::of(nan) > Key::of(f64::INFINITY), "goes high, as `x <= threshold` says of it");
        }
    }
}
