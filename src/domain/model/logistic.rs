//! Logistic regression over encoded columns. Not the solver: only what its coefficients say.

use super::ModelError;

/// Coefficients and intercept, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    intercept: f64,
    coefficients: Box<[f64]>,
}

impl Logistic {
    /// # Errors
    /// When a coefficient or the intercept is not finite.
    pub fn new(intercept: f64, coefficients: Vec<f64>) -> Result<Self, ModelError> {
        if !intercept.is_finite() {
            return Err(ModelError::Intercept);
        }
        if let Some(index) = coefficients.iter().position(|c| !c.is_finite()) {
            return Err(ModelError::Coefficient { index });
        }
        Ok(Self { intercept, coefficients: coefficients.into() })
    }

    #[must_use]
    pub fn columns(&self) -> usize {
        self.coefficients.len()
    }

    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Sums in column order, then the intercept; `exp` comes from the program, not from the machine's C library,
    /// so that the last bit is the same everywhere.
    pub(super) fn probability(&self, columns: &[f64]) -> f64 {
        let sum = self.coefficients.iter().zip(columns).fold(0.0, |sum, (c, x)| sum + c * x);
        let margin = sum + self.intercept;
        // Huge terms of both signs can leave no number; then nothing is known, which is a half.
        if margin.is_nan() { 0.5 } else { 1.0 / (1.0 + libm::exp(-margin)) }
    }
}
