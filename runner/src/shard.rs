//! A part of a work list, for one of several machines.
//!
//! Shards are counted from 1, as in `--shard 2/4`. Of a list of entries shard i of n has every n-th, beginning with the
//! i-th: neighbours, which often take equally long, go to different machines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sim_core::trace::ContentHash;

/// One of several equal parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shard {
    index: usize,
    of: usize,
}

/// Why there is no such shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum ShardError {
    /// `{text}` is no shard: expected i/n with 1 <= i <= n, such as 2/4
    NotAShard {
        /// What was written.
        text: String,
    },
    /// {variable}={value} is no whole number; unset it, or say which part is meant with --shard i/n
    Variable {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
    /// SLURM_ARRAY_TASK_ID={id} is not one of {count} tasks from {first} in steps of {step}; say which part is meant with --shard i/n
    OutsideArray {
        /// The task.
        id: usize,
        /// How many there are.
        count: usize,
        /// The first one.
        first: usize,
        /// From one to the next.
        step: usize,
    },
}

impl Shard {
    /// Shard `index`, counted from 1, of `of`.
    pub fn new(index: usize, of: usize) -> Option<Self> {
        (1..=of).contains(&index).then_some(Shard { index, of })
    }

    /// The shard that a batch scheduler has given this process as a task of an array; none if it has not. `read` reads a
    /// variable of the environment.
    ///
    /// The tasks of an array count from SLURM_ARRAY_TASK_MIN in steps of SLURM_ARRAY_TASK_STEP; 0 and 1 if they are not
    /// set.
    pub fn from_environment(read: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ShardError> {
        let number = |variable: &'static str| match read(variable).filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) => match value.trim().parse::<usize>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(ShardError::Variable { variable, value }),
            },
        };
        let (Some(id), Some(count)) = (number("SLURM_ARRAY_TASK_ID")?, number("SLURM_ARRAY_TASK_COUNT")?) else {
            return Ok(None);
        };
        let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
        let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
        let place = id.checked_sub(first).filter(|offset| offset.is_multiple_of(step)).map(|offset| offset / step);
        match place.and_then(|place| Shard::new(place + 1, count)) {
            Some(shard) => Ok(Some(shard)),
            None => Err(ShardError::OutsideArray { id, count, first, step }),
        }
    }

    /// Which one, counted from 1.
    pub fn index(self) -> usize {
        self.index
    }

    /// Of how many.
    pub fn of(self) -> usize {
        self.of
    }

    /// Whether the entry at this place of the whole list belongs to it.
    pub fn has(self, place: usize) -> bool {
        place % self.of == self.index - 1
    }

    /// The entries of a list that belong to it, in their order.
    pub fn part_of<T>(self, list: Vec<T>) -> Vec<T> {
        list.into_iter().enumerate().filter(|(place, _)| self.has(*place)).map(|(_, entry)| entry).collect()
    }

    /// How many entries of a list of that length belong to it.
    pub fn share_of(self, total: usize) -> usize {
        (total + self.of - self.index) / self.of
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        let shard = numbers.and_then(|(index, of)| Shard::new(index, of));
        shard.ok_or_else(|| ShardError::NotAShard { text: text.to_owned() })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// What a report of a part says of the whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartOf {
    /// Which part it is.
    #[serde(flatten)]
    pub shard: Shard,
    /// How many entries the whole has.
    pub total: usize,
    /// A hash over all that decides what the whole is: parts of the same whole have the same.
    pub identity: String,
}

impl PartOf {
    /// A part of a whole of `total` entries that is described by `description`.
    pub fn new(shard: Shard, total: usize, description: &str) -> Self {
        let identity = ContentHash::of(description.as_bytes()).to_string();
        PartOf { shard, total, identity }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slurm(variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let read =
            |name: &str| variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned());
        let shard = Shard::from_environment(read).map_err(|error| error.to_string())?;
        Ok(shard.map(|shard| shard.to_string()))
    }

    #[test]
    fn does_every_entry_belong_to_one_shard() {
        for (total, of) in [(0, 1), (1, 3), (7, 3), (49, 4), (6, 3)] {
            let parts: Vec<Vec<usize>> =
                (1..=of).map(|index| Shard::new(index, of).unwrap().part_of((0..total).collect())).collect();
            for (index, part) in (1..).zip(&parts) {
                assert_eq!(part.len(), Shard::new(index, of).unwrap().share_of(total), "{index}/{of} of {total}");
            }
            let mut all = parts.concat();
            all.sort_unstable();
            assert_eq!(all, (0..total).collect::<Vec<_>>());
        }
    }

    #[test]
    fn which_texts_are_shards() {
        assert_eq!("2/4".parse::<Shard>(), Ok(Shard { index: 2, of: 4 }));
        for text in ["0/4", "5/4", "1/0", "1", "a/b", "-1/4", ""] {
            let error = text.parse::<Shard>().unwrap_err().to_string();
            assert_eq!(error, format!("`{text}` is no shard: expected i/n with 1 <= i <= n, such as 2/4"));
        }
    }

    #[test]
    fn which_shard_is_a_task_of_an_array() {
        let (id, count) = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT");
        let (min, step) = ("SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP");
        assert_eq!(slurm(&[]), Ok(None));
        assert_eq!(slurm(&[(id, "3")]), Ok(None));
        assert_eq!(slurm(&[(id, "0"), (count, "4")]), Ok(Some("1/4".to_owned())));
        assert_eq!(slurm(&[(id, "4"), (count, "4"), (min, "1")]), Ok(Some("4/4".to_owned())));
        assert_eq!(slurm(&[(id, "14"), (count, "3"), (min, "10"), (step, "2")]), Ok(Some("3/3".to_owned())));
        for wrong in [&[(id, "4"), (count, "4")][..], &[(id, "11"), (count, "3"), (min, "10"), (step, "2")]] {
            assert!(slurm(wrong).unwrap_err().starts_with("SLURM_ARRAY_TASK_ID="), "{wrong:?}");
        }
        assert_eq!(
            slurm(&[(id, "x"), (count, "4")]).unwrap_err(),
            "SLURM_ARRAY_TASK_ID=x is no whole number; unset it, or say which part is meant with --shard i/n"
        );
    }
}
