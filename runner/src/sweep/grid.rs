//! The points of a sweep: every combination of the values of its axes.

use super::axis::Axis;

/// The most points that a sweep can have.
pub const MOST_POINTS: usize = 100_000;

/// The product of axes. The last one changes fastest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    axes: Vec<Axis>,
    points: usize,
}

/// Why there is no such grid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum GridError {
    /// nothing to sweep: give at least one --set KEY=VALUES or --param NAME=VALUES
    NoAxis,
    /// `{key}` is set twice; give all its values at once, as in {key}=1,2,3
    Repeated {
        /// The key.
        key: String,
    },
    /// the sweep has {points} points, more than 100000; take fewer values
    TooMany {
        /// How many it would have.
        points: u128,
    },
}

impl Grid {
    /// The grid of these axes.
    pub fn new(axes: Vec<Axis>) -> Result<Self, GridError> {
        if axes.is_empty() {
            return Err(GridError::NoAxis);
        }
        let same = |one: &Axis, other: &Axis| (one.kind, &one.key) == (other.kind, &other.key);
        if let Some(at) = (1..axes.len()).find(|at| axes[..*at].iter().any(|before| same(before, &axes[*at]))) {
            return Err(GridError::Repeated { key: axes[at].key.clone() });
        }
        let points = axes.iter().fold(1_u128, |points, axis| points.saturating_mul(axis.values.len() as u128));
        match usize::try_from(points).ok().filter(|points| *points <= MOST_POINTS) {
            Some(points) => Ok(Grid { axes, points }),
            None => Err(GridError::TooMany { points }),
        }
    }

    /// The axes.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// How many points there are.
    pub fn points(&self) -> usize {
        self.points
    }

    /// The values of a point, by axis.
    pub fn point(&self, number: usize) -> Vec<&str> {
        let mut rest = number;
        let mut values: Vec<&str> = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            values.push(&axis.values[rest % axis.values.len()]);
            rest /= axis.values.len();
        }
        values.reverse();
        values
    }
}

#[cfg(test)]
mod tests {
    use super::super::axis::AxisKind;
    use super::*;

    fn axis(key: &str, text: &str) -> Axis {
        Axis::parse(AxisKind::Profile, key, text).unwrap()
    }

    #[test]
    fn is_every_combination_there_once_and_in_order() {
        let grid = Grid::new(vec![axis("a", "1,2"), axis("b", "x,y,z")]).unwrap();
        let points: Vec<String> = (0..grid.points()).map(|number| grid.point(number).join("")).collect();
        assert_eq!(points, ["1x", "1y", "1z", "2x", "2y", "2z"]);
    }

    #[test]
    fn is_a_grid_that_cannot_be_meant_refused() {
        assert_eq!(Grid::new(vec![]), Err(GridError::NoAxis));
        let repeated = Grid::new(vec![axis("a", "1,2"), axis("b", "1"), axis("a", "3")]).unwrap_err();
        assert_eq!(repeated.to_string(), "`a` is set twice; give all its values at once, as in a=1,2,3");
        let many = Grid::new(vec![axis("a", "1..2:1000"), axis("b", "1..2:1000")]).unwrap_err();
        assert_eq!(many, GridError::TooMany { points: 1_000_000 });
    }
}
