//! From what an ensemble or a sum gives to what the model answers, each as the library that fitted it computes it.
//! `exp` comes from the program, not from the machine's C library, so that the last bit is the same everywhere.

/// What is done to the sum. The `Single` ones are computed as 32-bit floats are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link {
    /// The sum itself.
    Identity,
    /// `1 / (1 + e^(-slope x))`.
    Logistic {
        slope: f64,
    },
    /// XGBoost's: `1 / (e^min(-x, 88.7) + 1 + 1e-16)`.
    LogisticSingle,
    /// ONNX Runtime's: by the absolute value, then turned.
    LogisticTurned,
    /// `e^x`.
    Exponential,
    ExponentialSingle,
    /// 1 above 0, else 0.
    Step,
}

impl Link {
    /// Whether every answer is from 0 to 1.
    #[must_use]
    pub fn gives_probability(self) -> bool {
        !matches!(self, Self::Identity | Self::Exponential | Self::ExponentialSingle)
    }

    #[must_use]
    pub fn answer(self, sum: f64) -> f64 {
        match self {
            Self::Identity => sum,
            Self::Logistic { slope } => 1.0 / (1.0 + libm::exp(-slope * sum)),
            Self::LogisticSingle => {
                let bounded = (-(sum as f32)).min(88.7);
                let below = exp_single(bounded) + 1.0_f32 + 1e-16_f32;
                f64::from(1.0_f32 / below)
            }
            Self::LogisticTurned => f64::from(turned(sum as f32)),
            Self::Exponential => libm::exp(sum),
            Self::ExponentialSingle => f64::from(exp_single(sum as f32)),
            Self::Step => f64::from(u8::from(sum > 0.0)),
        }
    }
}

/// The f32 nearest to `e^x`, which the C libraries' own gives but for one value in some ten thousand.
pub(super) fn exp_single(x: f32) -> f32 {
    libm::exp(f64::from(x)) as f32
}

fn turned(x: f32) -> f32 {
    let value = 1.0 / (1.0 + exp_single(-x.abs()));
    if x < 0.0 { 1.0 - value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_link_is_the_function_that_it_is_named_after() {
        let check = |link: Link, x: f64, answer: f64| {
            assert!((link.answer(x) - answer).abs() < 1e-6, "{link:?} of {x}: {}", link.answer(x));
        };
        let two = 0.880_797_077_977_882_4;
        check(Link::Identity, -2.5, -2.5);
        check(Link::Logistic { slope: 2.0 }, 1.0, two);
        check(Link::LogisticSingle, 2.0, two);
        check(Link::LogisticSingle, -1000.0, 0.0);
        check(Link::LogisticTurned, 2.0, two);
        check(Link::LogisticTurned, -2.0, 1.0 - two);
        check(Link::Exponential, 1.0, std::f64::consts::E);
        check(Link::ExponentialSingle, 1.0, std::f64::consts::E);
        check(Link::Step, 0.1, 1.0);
        check(Link::Step, 0.0, 0.0);
    }
}
