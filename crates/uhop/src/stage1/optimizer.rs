//! How Stage I moves W along the gradient: plain gradient descent or Adam.

use ndarray::{Array2, Zip};

use crate::error::{Result, positive};
use crate::scalar::Scalar;

/// A rule that turns gradients ∂L/∂W into steps of W.
///
/// ```
/// use uhop::stage1::Optimizer;
///
/// assert_eq!(Optimizer::gradient_descent(10.0)?.rate(99), 10.0);
/// assert_eq!(Optimizer::adam(0.01)?.rate(99), 0.01);
/// assert!(Optimizer::published_decay(1.0)?.rate(99) < 1e-77);
/// assert!(Optimizer::adam(-1.0).unwrap_err().is_out_of_domain());
/// # Ok::<(), uhop::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimizer(Kind);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    GradientDescent { rate: f64, schedule: Schedule },
    Adam { rate: f64 },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Schedule {
    Constant,
    Factorial,
}

/// Adam's constants, as published.
const MEAN_DECAY: f64 = 0.9;
const SQUARE_DECAY: f64 = 0.999;
const SMALLEST_SCALE: f64 = 1e-8;

impl Optimizer {
    /// Gradient descent with a constant rate γ: W ← W − γ∇L (Algorithm 1 of U-Hop). The released
    /// code uses γ = 10 for the max loss; γ = 1 trains the average loss.
    ///
    /// ```
    /// use uhop::stage1::Optimizer;
    ///
    /// assert_eq!(Optimizer::gradient_descent(10.0)?.rate(7), 10.0);
    /// assert!(Optimizer::gradient_descent(0.0).unwrap_err().is_out_of_domain());
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](crate::Error::is_out_of_domain) unless `rate` is finite and above 0.
    pub fn gradient_descent(rate: f64) -> Result<Self> {
        let rate = positive("stage1", "rate", rate)?;
        Ok(Self(Kind::GradientDescent { rate, schedule: Schedule::Constant }))
    }

    /// Gradient descent with the rate that the released code applies to the average loss: after
    /// step i (from 0) the current rate is divided by √(i+1), so that step i uses γ/√(i!).
    ///
    /// **It freezes.** The tenth step moves W by 1/600 of its gradient, the twentieth by 3e-9;
    /// whatever the number of steps, W stays near its random start. It is here to reproduce
    /// published runs; use [`gradient_descent`](Self::gradient_descent) or [`adam`](Self::adam).
    ///
    /// ```
    /// use uhop::stage1::Optimizer;
    ///
    /// let published = Optimizer::published_decay(1.0)?;
    /// assert_eq!(published.rate(1), 1.0);
    /// assert!((published.rate(9) - 1.0 / 362_880.0_f64.sqrt()).abs() < 1e-15);
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](crate::Error::is_out_of_domain) unless `rate` is finite and above 0.
    pub fn published_decay(rate: f64) -> Result<Self> {
        let rate = positive("stage1", "rate", rate)?;
        Ok(Self(Kind::GradientDescent { rate, schedule: Schedule::Factorial }))
    }

    /// Adam (Kingma, Ba 2015) with decays 0.9 and 0.999 and ε = 1e-8. Its steps do not depend on
    /// the scale of the loss; rates near 0.01 suit a standard normal W.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    ///
    /// use ndarray::array;
    /// use uhop::stage1::{Optimizer, Params, SeparationLoss, learn};
    /// use uhop::{LinearMap, Patterns};
    ///
    /// let patterns = Patterns::new(array![[1.0, 0.0], [0.6, 0.8]])?;
    /// let params = Params::new(SeparationLoss::max(), Optimizer::adam(0.01)?, 1)?.keep_rows();
    /// let learned = learn(&patterns, LinearMap::identity(2)?, &params, |_| ControlFlow::Continue(()))?;
    /// // Entries move by the rate, whatever the size of the gradient.
    /// let moved = &learned.map.weight() - &LinearMap::<f64>::identity(2)?.weight();
    /// assert!(moved.iter().all(|w| *w == 0.0 || (w.abs() - 0.01).abs() < 1e-6));
    /// # Ok::<(), uhop::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`is_out_of_domain`](crate::Error::is_out_of_domain) unless `rate` is finite and above 0.
    pub fn adam(rate: f64) -> Result<Self> {
        Ok(Self(Kind::Adam { rate: positive("stage1", "rate", rate)? }))
    }

    /// The rate of step `step`, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        match self.0 {
            Kind::GradientDescent { rate, schedule: Schedule::Constant } | Kind::Adam { rate } => {
                rate
            }
            Kind::GradientDescent { rate, schedule: Schedule::Factorial } => {
                // 1000! is far beyond f64: the rate is 0 long before.
                (1..=step.min(1000)).fold(rate, |rate, i| rate / (i as f64).sqrt())
            }
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0
    }

    /// Whether a step is the gradient times a rate.
    pub(super) fn is_descent(self) -> bool {
        matches!(self.0, Kind::GradientDescent { .. })
    }

    pub(super) fn start<T: Scalar>(self, shape: (usize, usize)) -> State<T> {
        let moments = match self.0 {
            Kind::GradientDescent { .. } => None,
            Kind::Adam { .. } => Some((Array2::zeros(shape), Array2::zeros(shape))),
        };
        State { optimizer: self, step: 0, moments }
    }
}

/// An optimizer under way.
pub(super) struct State<T> {
    optimizer: Optimizer,
    step: usize,
    /// Adam's running mean of the gradient and of its square.
    moments: Option<(Array2<T>, Array2<T>)>,
}

impl<T: Scalar> State<T> {
    /// Moves `weight` by one step along `gradient`.
    pub(super) fn step(&mut self, weight: &mut Array2<T>, gradient: &Array2<T>) {
        let rate = self.optimizer.rate(self.step);
        self.step += 1;
        let Some((mean, square)) = &mut self.moments else {
            weight.scaled_add(T::narrow(-rate), gradient);
            return;
        };
        let steps = self.step as f64;
        let mean_share = 1.0 - MEAN_DECAY.powf(steps);
        let square_share = 1.0 - SQUARE_DECAY.powf(steps);
        Zip::from(weight).and(gradient).and(mean).and(square).for_each(|w, g, mean, square| {
            let g = g.widen();
            let m = MEAN_DECAY * mean.widen() + (1.0 - MEAN_DECAY) * g;
            let v = SQUARE_DECAY * square.widen() + (1.0 - SQUARE_DECAY) * g * g;
            let step = (m / mean_share) / ((v / square_share).sqrt() + SMALLEST_SCALE);
            *w = T::narrow(w.widen() - rate * step);
            (*mean, *square) = (T::narrow(m), T::narrow(v));
        });
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn rates_outside_their_domain_are_errors() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Optimizer::gradient_descent(rate).unwrap_err().is_out_of_domain());
            assert!(Optimizer::published_decay(rate).unwrap_err().is_out_of_domain());
            assert!(Optimizer::adam(rate).unwrap_err().is_out_of_domain());
        }
    }

    #[test]
    fn gradient_descent_follows_its_schedule() {
        let mut state = Optimizer::published_decay(6.0).unwrap().start::<f64>((1, 1));
        let mut weight = array![[0.0]];
        let mut expected = 0.0;
        for factorial in [1.0, 1.0, 2.0, 6.0, 24.0_f64] {
            state.step(&mut weight, &array![[1.0]]);
            expected -= 6.0 / factorial.sqrt();
            // Five roundings of numbers below 24.
            assert!((weight[[0, 0]] - expected).abs() < 5.0 * 24.0 * f64::EPSILON);
        }
        assert_eq!(Optimizer::gradient_descent(6.0).unwrap().rate(1000), 6.0);
    }

    /// Adam's first step is the rate against the sign of the gradient; with a constant gradient
    /// both corrected moments stay exact, so every step is the same.
    #[test]
    fn adam_steps_by_its_rate_whatever_the_scale() {
        for scale in [1e-3, 1.0, 1e6] {
            let mut state = Optimizer::adam(0.1).unwrap().start::<f64>((1, 2));
            let mut weight = array![[1.0, 1.0]];
            for step in 1..=5 {
                state.step(&mut weight, &array![[scale, -scale]]);
                let moved = 0.1 * f64::from(step);
                // ε = 1e-8 beside a gradient of at least 1e-3: relative error 1e-5 a step.
                assert!((weight[[0, 0]] - (1.0 - moved)).abs() < 1e-5 * moved, "{weight}");
                assert!((weight[[0, 1]] - (1.0 + moved)).abs() < 1e-5 * moved, "{weight}");
            }
        }
    }
}
