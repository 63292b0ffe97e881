//! Medians and the like.

/// The `q`th quantile (0 to 1) of `values`, 0 if there are none.
pub(crate) fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return 0.0;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let index = (q.clamp(0.0, 1.0) * (sorted.len() - 1) as f64).round() as usize;
    sorted[index]
}

pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Nanoseconds as microseconds.
#[allow(clippy::cast_precision_loss)] // exact below 2^53 ns, a hundred days
pub(crate) fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::{median, quantile};

    #[test]
    #[allow(clippy::float_cmp)] // values are picked, not computed
    fn a_quantile_is_one_of_the_values() {
        let values = [9.0, 1.0, 5.0, 3.0, 7.0];
        assert_eq!(median(&values), 5.0);
        assert_eq!(quantile(&values, 0.0), 1.0);
        assert_eq!(quantile(&values, 0.9), 9.0);
        assert_eq!(median(&[]), 0.0);
    }
}
