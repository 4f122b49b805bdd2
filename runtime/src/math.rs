//! Scalar functions in f32. Every operation rounds to nearest and none is fused, so host and device agree bit for bit.

use micromath::F32Ext;

/// Adding and subtracting this rounds a value of magnitude below 2^22 to the nearest integer, ties to even.
const ROUNDER: f32 = 12_582_912.0;

/// The nearest integer, ties to even. *Range*: `|x| < 2^22`.
#[inline(always)]
pub fn round(x: f32) -> i32 {
    ((x + ROUNDER).to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32)
}

/// `e^x` for `x <= 0`. *Error*: relative, at most 4e-6 + 1.2e-7 |x| down to -87; below, the result falls to exactly 0. Monotone, and
/// `exp(0) = 1`. Above 0 the result means nothing, but lies between 0 and 2.
///
/// `x log2(e)` in steps of 2^-23 is already the result's bits with a straight line for its mantissa. What is missing, the difference
/// between `2^f` and `1 + f`, lies between 128 nodes: integers alone, on any core.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let bits = ((x * OCTAVE_STEPS) as i32).wrapping_add(127 << 23).clamp(0, (1 << 30) - 1);
    let (index, offset) = ((bits >> 16 & 127) as usize, bits & 0xffff);
    let (node, next) = (EXP_NODES[index], EXP_NODES[index + 1]);
    f32::from_bits((bits + node + (((next - node) * offset) >> 16)) as u32)
}

/// Steps of [`exp`] for each unit of its argument.
pub(crate) const OCTAVE_STEPS: f32 = core::f32::consts::LOG2_E * 8_388_608.0;

/// `2^f - 1 - f` at `f = i / 128`, in units of 2^-23.
pub(crate) static EXP_NODES: [i32; 129] = {
    let mut nodes = [0; 129];
    let mut i = 0;
    while i <= 128 {
        let fraction = i as f64 / 128.0;
        nodes[i] = to_nearest((wide_exp(fraction * core::f64::consts::LN_2) - 1.0 - fraction) * 8_388_608.0);
        i += 1;
    }
    nodes
};

/// A curve that grows from 0 to 1: straight lines between nodes at equal distances.
#[derive(Debug)]
pub struct Curve {
    /// `f(x) - 1/2` in units of 2^-16, from one end to the other.
    pub(crate) nodes: [i16; 2 * CURVE_STEPS + 1],
    /// 2^14 times the steps in each unit of the argument.
    pub(crate) scale: f32,
}

/// Steps of a curve on each side of 0.
pub(crate) const CURVE_STEPS: usize = 256;
/// Bits of the place in a step.
const PLACE_BITS: u32 = 14;

impl Curve {
    /// The curve at `x`, beyond its ends about the value there. Integers, but for one product before and one conversion behind.
    #[inline(always)]
    pub fn at(&self, x: f32) -> f32 {
        const STEPS: i32 = CURVE_STEPS as i32;
        let place = (x * self.scale) as i32;
        // The mask changes nothing, but every compiler sees that it holds the index within the nodes.
        let step = ((place >> PLACE_BITS).clamp(-STEPS, STEPS - 1) + STEPS) as usize & (2 * CURVE_STEPS - 1);
        let place = place & ((1 << PLACE_BITS) - 1);
        let (node, next) = (i32::from(self.nodes[step]), i32::from(self.nodes[step + 1]));
        let steps = (1 << 29) + node * ((1 << PLACE_BITS) - place) + next * place; // of 2^-30
        steps as f32 * (1.0 / 1_073_741_824.0)
    }

    /// `1 / (1 + e^-(linear x + cubic x^3))` over `-end..=end`.
    ///
    /// Each node lies off the curve by half of what a chord errs in its middle, so that the error is as large there as at the nodes.
    const fn logistic(end: f64, linear: f64, cubic: f64) -> Self {
        const fn value(x: f64, linear: f64, cubic: f64) -> f64 {
            1.0 / (1.0 + wide_exp(-(linear * x + cubic * x * x * x))) - 0.5
        }
        let step = end / CURVE_STEPS as f64;
        let mut nodes = [0; 2 * CURVE_STEPS + 1];
        let mut i = 0;
        while i <= 2 * CURVE_STEPS {
            let x = (i as f64 - CURVE_STEPS as f64) * step;
            let at = value(x, linear, cubic);
            let bend = value(x - step, linear, cubic) - 2.0 * at + value(x + step, linear, cubic);
            let node = to_nearest((at - bend / 16.0) * 65_536.0);
            nodes[i] = if node > 32_767 { 32_767 } else { node as i16 };
            i += 1;
        }
        Self { nodes, scale: (((CURVE_STEPS as u32) << PLACE_BITS) as f64 / end) as f32 }
    }
}

/// `1 / (1 + e^-x)`. *Error*: absolute, at most 2e-5. Monotone.
pub static SIGMOID: Curve = Curve::logistic(11.0, 1.0, 0.0);

/// `gelu(x) / x`, tanh approximation: `(1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2`. *Error*: absolute, at most 2e-5. Monotone.
pub static GELU: Curve = Curve::logistic(4.25, TWICE_SQRT_2_OVER_PI, TWICE_SQRT_2_OVER_PI * 0.044715);
const TWICE_SQRT_2_OVER_PI: f64 = 1.595_769_121_605_731;

/// `1 / (1 + e^-x)`, see [`SIGMOID`].
#[inline]
pub fn sigmoid(x: f32) -> f32 {
    SIGMOID.at(x)
}

/// `x sigmoid(x)`. *Error*: at most 2e-5 |x|.
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x * SIGMOID.at(x)
}

/// GELU, tanh approximation, see [`GELU`]. *Error*: at most 2e-5 |x|.
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    x * GELU.at(x)
}

/// `e^x` for the compiler's tables: the Taylor polynomial of `x / 2^10`, squared ten times.
const fn wide_exp(x: f64) -> f64 {
    let r = x / 1024.0;
    let mut y = 1.0 + r * (1.0 + r / 2.0 * (1.0 + r / 3.0 * (1.0 + r / 4.0 * (1.0 + r / 5.0))));
    let mut squarings = 0;
    while squarings < 10 {
        y *= y;
        squarings += 1;
    }
    y
}

/// The nearest integer, for the compiler's tables.
const fn to_nearest(x: f64) -> i32 {
    if x < 0.0 { (x - 0.5) as i32 } else { (x + 0.5) as i32 }
}

/// `1 / sqrt(x)`. *Range*: normal `x > 0`. *Error*: relative, below 6e-7: micromath's estimate (3.5%) and three Newton steps.
#[inline]
pub fn inverse_sqrt(x: f32) -> f32 {
    // micromath subtracts the bits from a constant: a sign bit, which only a NaN can have here, would underflow.
    let mut y = f32::from_bits(x.to_bits() & 0x7fff_ffff).invsqrt();
    for _ in 0..3 {
        y *= 1.5 - (0.5 * x * y) * y;
    }
    y
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    /// Every `step`-th f32 from `from` to `to`, both of one sign.
    fn floats(from: f32, to: f32, step: usize) -> impl Iterator<Item = f32> {
        (from.to_bits()..=to.to_bits()).step_by(step).map(f32::from_bits)
    }

    #[test]
    fn exp_stays_within_its_bound_over_its_whole_range() {
        for magnitude in floats(1e-8, 87.0, 97) {
            let exact = f64::from(-magnitude).exp();
            let error = (f64::from(exp(-magnitude)) / exact - 1.0).abs();
            assert!(error < 4e-6 + 1.2e-7 * f64::from(magnitude), "exp(-{magnitude}): {error:e}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-100.0), 0.0);
        assert_eq!(exp(-1e30), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        for x in floats(1e-8, 1e30, 9973).chain([f32::INFINITY, f32::NAN]) {
            assert!((0.0..=2.0).contains(&exp(x)), "exp({x})");
        }
    }

    #[test]
    fn exp_never_falls_at_a_border_between_nodes_nor_anywhere_else() {
        let mut last = exp(-90.0);
        for x in floats(1e-8, 90.0, 89).map(|x| -x).collect::<std::vec::Vec<_>>().into_iter().rev() {
            assert!(exp(x) >= last, "exp({x})");
            last = exp(x);
        }
        for border in -126 * 128..=0 {
            let x = border as f32 / 128.0 * core::f32::consts::LN_2;
            let around: std::vec::Vec<_> =
                (-3..=3).map(|step| exp(f32::from_bits(x.to_bits().wrapping_add_signed(-step)))).collect();
            assert!(x == 0.0 || around.is_sorted(), "exp({x}): {around:?}");
        }
    }

    #[test]
    fn sigmoid_and_gelu_stay_within_their_bounds_and_grow() {
        let gelu_exact = |x: f64| 0.5 * (1.0 + ((2.0 / core::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh());
        let sigmoid_exact = |x: f64| 1.0 / (1.0 + (-x).exp());
        for (curve, exact) in [(&SIGMOID, &sigmoid_exact as &dyn Fn(f64) -> f64), (&GELU, &gelu_exact)] {
            let mut last = (curve.at(0.0), curve.at(0.0));
            let mut largest = 0f64;
            for magnitude in floats(1e-6, 100.0, 97) {
                for x in [magnitude, -magnitude] {
                    largest = largest.max((f64::from(curve.at(x)) - exact(f64::from(x))).abs());
                }
                let now = (curve.at(-magnitude), curve.at(magnitude));
                assert!(now.0 <= last.0 && now.1 >= last.1, "{magnitude}");
                last = now;
            }
            assert!(largest < 2e-5, "{largest:e}");
        }
        assert_eq!(silu(0.0), 0.0);
        assert!((f64::from(silu(-3.0)) + 3.0 * sigmoid_exact(-3.0)).abs() < 6e-5);
        assert!((f64::from(gelu(2.0)) - 2.0 * gelu_exact(2.0)).abs() < 4e-5);
    }

    #[test]
    fn curves_meet_their_nodes_at_every_border() {
        for (curve, end) in [(&SIGMOID, 11.0f32), (&GELU, 4.25)] {
            for (border, nodes) in curve.nodes.windows(3).enumerate() {
                let x = (border as f32 + 1.0 - CURVE_STEPS as f32) * (end / CURVE_STEPS as f32);
                let node = 0.5 + f32::from(nodes[1]) / 65_536.0;
                // A few places of the step to either side: rounding of x and of its product.
                let near = 1e-7 + f32::from(nodes[2] - nodes[0]) / 65_536.0 / 1024.0;
                assert!((curve.at(x) - node).abs() <= near, "{x}: {} {node}", curve.at(x));
            }
            assert!(curve.nodes.is_sorted());
        }
    }

    #[test]
    fn inverse_sqrt_stays_within_its_bound() {
        for x in floats(1e-30, 1e30, 997) {
            let exact = 1.0 / f64::from(x).sqrt();
            assert!((f64::from(inverse_sqrt(x)) / exact - 1.0).abs() < 6e-7, "inverse_sqrt({x})");
        }
    }

    #[test]
    fn round_goes_to_the_nearest_even_integer() {
        for (x, wanted) in [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (126.6, 127), (-127.0, -127), (1e6, 1_000_000)] {
            assert_eq!(round(x), wanted, "round({x})");
        }
    }
}
