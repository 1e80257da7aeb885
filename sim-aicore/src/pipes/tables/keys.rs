//! The numbers of the tables as values of a profile: `--set instructions.vector.add.slope=4`.
//!
//! What stands for several operations or sizes of elements has a key for each of them, so that one can be changed alone:
//! the file is [taken apart](take_apart) first, which changes no cost. Keys follow the file: what it does not state cannot
//! be set.
//!
//! ```text
//! {"ops": ["exp"], "element_bytes": [4], "flat": [1.96, 62.6]}  ▶  instructions.vector.exp.32bit.flat.slope
//! {"path": "l1_to_l0a", "bytes_per_cycle": 129.7}               ▶  instructions.paths.l1_to_l0a.bytes_per_cycle
//! ```

use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sim_core::profile::{Arch, Confidence, Entry, Extension, Profile, ProfileError, ProfileName};

use super::Tables;

/// An embedded profile whose overrides reach the costs of instructions too.
pub fn load_profile(name: impl AsRef<str>) -> Result<Profile, ProfileError> {
    let name: ProfileName = name.as_ref().parse()?;
    let entries: fn() -> &'static [Entry] = match name.arch() {
        Arch::A2a3 => || Keys::of(Arch::A2a3).entries.as_slice(),
        Arch::A5 => || Keys::of(Arch::A5).entries.as_slice(),
    };
    Ok(Profile::load(name)?.extended_by(Extension { entries, check: |profile| changed(profile).map(|_| ()) }))
}

/// The tables of a device with `profile`.
pub(in crate::pipes) fn tables_of(profile: &Profile) -> Arc<Tables> {
    // Whoever extends a profile by these keys has changes checked when they are made.
    changed(profile).unwrap_or_else(|error| unreachable!("{error}"))
}

/// The tables with what the profile changes.
fn changed(profile: &Profile) -> Result<Arc<Tables>, ProfileError> {
    let mut tables = Arc::clone(Tables::shared(profile.arch));
    if profile.changes().is_empty() {
        return Ok(tables);
    }
    let keys = Keys::of(profile.arch);
    let mut document = keys.document.clone();
    for change in profile.changes() {
        let Some(index) = keys.entries.iter().position(|entry| entry.path() == change.path()) else { continue };
        keys.places[index].put(change, &mut document)?;
        // Which of them are whole numbers, only the type of the tables knows.
        let read = Tables::deserialize(&document).map_err(|_| change.out_of_range("a whole number"))?;
        tables = Arc::new(read);
    }
    Ok(tables)
}

/// The numbers of a generation's tables, by key.
struct Keys {
    /// The file, taken apart.
    document: Value,
    entries: Vec<Entry>,
    /// Where each entry stands.
    places: Vec<Place>,
}

/// A number in the file.
struct Place {
    measure: Measure,
    /// The JSON pointer to it.
    number: String,
    /// The same to what says where it comes from.
    origin: String,
}

/// What a number counts.
#[derive(Clone, Copy)]
enum Measure {
    Cycles,
    Bytes,
    BytesPerCycle,
    Count,
    Factor,
}

impl Measure {
    /// That of a field, which the files name alike everywhere.
    fn of(section: &str, field: &str) -> Measure {
        match field {
            _ if section == "memories" => Measure::Bytes,
            "row_alignment" | "repeat_bytes" | "block_bytes" | "bank_span" => Measure::Bytes,
            "bytes_per_cycle" | "row_bytes_per_cycle" => Measure::BytesPerCycle,
            "slow_element_passes" | "elements" | "ports" | "groups" => Measure::Count,
            "scale" | "beside_cube" => Measure::Factor,
            _ => Measure::Cycles,
        }
    }

    const fn unit(self) -> &'static str {
        match self {
            Measure::Cycles => "cycle",
            Measure::Bytes => "B",
            Measure::BytesPerCycle => "B/cycle",
            Measure::Count => "count",
            Measure::Factor => "ratio",
        }
    }

    /// The value of an entry in the file's unit.
    fn read(self, entry: &Entry) -> Result<Value, ProfileError> {
        let millionths = match self {
            Measure::Bytes => return Ok(entry.size()?.value.into()),
            Measure::Count => return Ok(entry.count()?.value.into()),
            Measure::Cycles => entry.cycles()?.value,
            Measure::BytesPerCycle => entry.cycle_rate()?.value,
            Measure::Factor => entry.factor()?.value,
        };
        let whole = millionths.is_multiple_of(1_000_000);
        Ok(if whole { (millionths / 1_000_000).into() } else { (millionths as f64 / 1e6).into() })
    }
}

impl Place {
    /// Puts the value of `entry` here, and where it comes from.
    fn put(&self, entry: &Entry, document: &mut Value) -> Result<(), ProfileError> {
        let value = self.measure.read(entry)?;
        if let Some(number) = document.pointer_mut(&self.number) {
            *number = value;
        }
        if let Some(Value::Object(origin)) = document.pointer_mut(&self.origin) {
            origin.insert("confidence".to_owned(), Confidence::Override.as_str().into());
        }
        Ok(())
    }
}

/// Where the walk through a file is.
#[derive(Clone)]
struct Position<'a> {
    key: String,
    pointer: String,
    /// Who vouches for what is there: the innermost object that says so.
    origin: Option<(&'a Map<String, Value>, String)>,
}

impl Position<'_> {
    fn down(&self, name: &str, step: &str) -> Self {
        let key = if name.is_empty() { self.key.clone() } else { format!("{}.{name}", self.key) };
        Position { key, pointer: format!("{}/{step}", self.pointer), origin: self.origin.clone() }
    }
}

impl Keys {
    fn of(arch: Arch) -> &'static Keys {
        static A2A3: LazyLock<Keys> = LazyLock::new(|| Keys::new(Arch::A2a3));
        static A5: LazyLock<Keys> = LazyLock::new(|| Keys::new(Arch::A5));
        match arch {
            Arch::A2a3 => &A2A3,
            Arch::A5 => &A5,
        }
    }

    fn new(arch: Arch) -> Keys {
        let (file, text) = Tables::file(arch);
        // As of the tables themselves: a mistake in the file is one in the code.
        let mut document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        take_apart(&mut document);
        let (mut entries, mut places) = (Vec::new(), Vec::new());
        let mut add = |entry: Entry, place| {
            // Of two for the same operation and element the first counts, in the tables as well.
            if !entries.iter().any(|known: &Entry| known.path() == entry.path()) {
                entries.push(entry);
                places.push(place);
            }
        };
        let top = Position { key: "instructions".to_owned(), pointer: String::new(), origin: None };
        walk(file, &document, &top, &mut add);
        Keys { document, entries, places }
    }
}

/// Makes of an entry for several operations, or sizes of elements, one for each.
fn take_apart(document: &mut Value) {
    for list in LISTS {
        let Some(Value::Array(entries)) = document["vector"].get_mut(list) else { continue };
        for field in ["ops", "element_bytes", "to_bytes"] {
            let each = |entry: Value| match entry.get(field).and_then(Value::as_array).cloned() {
                Some(values) if !values.is_empty() => {
                    let with = |value| {
                        let mut one = entry.clone();
                        one[field] = json!([value]);
                        one
                    };
                    values.into_iter().map(with).collect()
                }
                Some(_) | None => vec![entry],
            };
            *entries = std::mem::take(entries).into_iter().flat_map(each).collect();
        }
    }
}

/// Lists of vector operations: their entries are told apart by the operation alone.
const LISTS: [&str; 4] = ["instructions", "reductions", "fits", "function_ops"];

fn walk<'a>(file: &str, value: &'a Value, at: &Position<'a>, add: &mut impl FnMut(Entry, Place)) {
    match value {
        Value::Object(fields) => {
            let mut at = at.clone();
            if fields.contains_key("confidence") {
                at.origin = Some((fields, at.pointer.clone()));
            }
            for (name, inner) in fields {
                if matches!(name.as_str(), "ops" | "element_bytes" | "to_bytes" | "inputs" | "shapes") {
                    continue;
                }
                let mut below = at.down(if LISTS.contains(&name.as_str()) { "" } else { name }, name);
                if let ("function_ops", Some(Value::Object(overhead))) = (name.as_str(), fields.get("functions")) {
                    below.origin = Some((overhead, format!("{}/functions", at.pointer)));
                }
                walk(file, inner, &below, add);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let mut below = at.down(&name_of(item, index, items.len()), &index.to_string());
                // A function has the origin of them all, and says itself if it was changed.
                if let (Some((_, origin)), true) = (&mut below.origin, item.get("latency").is_some()) {
                    *origin = below.pointer.clone();
                }
                match item {
                    // Of tiles of a width: the width, then the formula.
                    Value::Array(formula) => {
                        for (step, name) in [(1, "slope"), (2, "constant")] {
                            walk(file, &formula[step], &below.down(name, &step.to_string()), add);
                        }
                    }
                    item => walk(file, item, &below, add),
                }
            }
        }
        Value::Number(number) => {
            let Some((said, origin)) = &at.origin else { return };
            let section = at.key.split('.').nth(1).unwrap_or_default();
            let measure = Measure::of(section, at.key.rsplit('.').next().unwrap_or_default());
            let mut json = json!({"value": number, "unit": measure.unit()});
            for field in ["confidence", "source", "note"] {
                json[field] = said.get(field).cloned().unwrap_or(Value::Null);
            }
            if let Value::Object(fields) = &mut json {
                fields.retain(|_, value| !value.is_null());
            }
            let entry = Entry::from_json(file, &at.key, &json, None).unwrap_or_else(|error| panic!("{error}"));
            add(entry, Place { measure, number: at.pointer.clone(), origin: origin.clone() });
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// What an element of a list is called: a path by its name, an operation by its name and elements, the numbers of a
/// formula by what they are.
fn name_of(item: &Value, index: usize, count: usize) -> String {
    match item {
        Value::Object(fields) => {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let bits = |field: &str, before: &str| {
                let bytes = fields.get(field).and_then(|sizes| sizes[0].as_u64());
                bytes.map_or_else(String::new, |bytes| format!(".{before}{}bit", 8 * bytes))
            };
            let name = fields.get("path").map_or_else(|| text(&item["ops"][0]), text);
            let integers = fields.get("integers").and_then(Value::as_bool) == Some(true);
            name + if integers { ".integer" } else { "" } + &bits("element_bytes", "") + &bits("to_bytes", "to_")
        }
        Value::Array(columns) => columns[0].to_string(),
        // A formula of three numbers has one of a row.
        _ => match (index, count) {
            (0, _) => "slope",
            (1, 3) => "row",
            _ => "constant",
        }
        .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::pipes::cycles::MicroCycles;
    use crate::pipes::instruction::{Element, Extent, VectorOp, VectorWork};
    use crate::pipes::tables::vector::VectorCost;

    fn tile(op: VectorOp, element: Element, to: Element, rows: u32, cols: u32, width: u32) -> VectorWork {
        VectorWork { op, element, to, extent: Extent::Tile { rows, cols, width }, places: None }
    }

    fn with(arch: Arch, changes: &[&str]) -> Result<Arc<Tables>, ProfileError> {
        let changes: Vec<_> = changes.iter().map(|text| text.parse().unwrap()).collect();
        load_profile(arch)?.with_overrides(&changes).map(|profile| tables_of(&profile))
    }

    fn cost(tables: &Tables, op: VectorOp) -> VectorCost {
        tables.vector.cost(&tile(op, Element::Fp32, Element::Fp32, 64, 64, 64)).unwrap()
    }

    #[test]
    fn does_a_file_that_is_taken_apart_say_the_same() {
        let elements = [Element::Fp32, Element::Fp16, Element::Bf16, Element::Int32, Element::Int8];
        for arch in Arch::ALL {
            let apart = Tables::deserialize(&Keys::of(arch).document).unwrap();
            for op in VectorOp::ALL {
                for element in elements {
                    for to in elements {
                        for (rows, cols, width) in [(1, 64, 64), (64, 64, 64), (16, 24, 48), (7, 200, 200)] {
                            let work = tile(op, element, to, rows, cols, width);
                            assert_eq!(
                                apart.vector.cost(&work),
                                Tables::of(arch).vector.cost(&work),
                                "{arch} {work:?}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn is_one_operation_changed_and_no_other() {
        let (before, after) = (Tables::of(Arch::A2a3), with(Arch::A2a3, &["instructions.vector.add.slope=4"]).unwrap());
        // 64 repeats: 24 + 64 × 4.
        let confidence = Confidence::Override;
        assert_eq!(cost(&after, VectorOp::Add), VectorCost { cycles: MicroCycles::whole(280), confidence });
        for op in VectorOp::ALL.into_iter().filter(|op| *op != VectorOp::Add && before.vector.knows(*op, 4, 4)) {
            assert_eq!(cost(&after, op), cost(before, op), "{op:?}");
        }
        // A vector function of a5 has no confidence of its own until it is changed.
        let after = with(Arch::A5, &["instructions.vector.ln.latency=20cycle"]).unwrap();
        let changed = VectorOp::ALL.into_iter().filter(|op| cost(&after, *op).confidence == Confidence::Override);
        assert_eq!(changed.collect::<Vec<_>>(), [VectorOp::Ln]);
    }

    #[test]
    fn is_what_is_set_in_the_tables() {
        let tables = with(
            Arch::A2a3,
            &[
                "instructions.memories.ub=256KiB",
                "instructions.cube.mad.head=30",
                "instructions.cube.mad.slow_element_passes=4",
                "instructions.cube.drain.row_bytes_per_cycle=64 B/cycle",
                "instructions.paths.l1_to_l0a.bytes_per_cycle=200.5",
                "instructions.cube.drain.scale=0.5",
                "instructions.vector.row_sum.32bit.columns.64.constant=50",
                "instructions.vector.add.mask=7",
                "instructions.vector.add.mask=8",
            ],
        );
        let tables = tables.unwrap();
        assert_eq!((tables.memories.ub, tables.cube.mad.slow_element_passes), (262_144, 4));
        assert_eq!((tables.cube.mad.head, tables.cube.drain.row_bytes_per_cycle), (MicroCycles::whole(30), 64));
        assert_eq!(tables.cube.mad.origin.confidence, Confidence::Override);
        let path = &tables.paths[0];
        assert_eq!(
            (path.bytes_per_cycle, path.origin.confidence),
            (Some(MicroCycles::nearest(200.5)), Confidence::Override)
        );
        assert_eq!(tables.cube.drain.scale, MicroCycles::nearest(0.5));
        let row_sum = tables.vector.fits.iter().find(|fit| fit.ops == [VectorOp::RowSum] && fit.element_bytes == [4]);
        assert_eq!(row_sum.unwrap().columns[2], (64, MicroCycles::nearest(0.1094), MicroCycles::whole(50)));
        let add = tables.vector.instructions.iter().find(|known| known.ops == [VectorOp::Add] && !known.integers);
        assert_eq!(add.unwrap().mask, MicroCycles::whole(8));
    }

    #[test]
    fn is_a_bad_change_refused_by_what_is_wrong_with_it() {
        for (change, expected) in [
            (
                "instructions.vector.ad.slope=4",
                "--set: no key `instructions.vector.ad.slope`; the nearest is `instructions.vector.add.slope`",
            ),
            (
                "instructions.vector.add.slope=4ns",
                "--set: `instructions.vector.add.slope` has the unit `ns`, expected a number of cycles, unit cycle",
            ),
            (
                "instructions.vector.add.slope=-1",
                "--set: `instructions.vector.add.slope` = -1 cycle is out of range, expected from 0 to 1000000 cycles",
            ),
            (
                "instructions.vector.add.slope=fast",
                "--set: `instructions.vector.add.slope` is `fast`, expected a number with one of the key's units, such as \
                 `2.11cycle`",
            ),
            (
                "instructions.cube.drain.row_bytes_per_cycle=0.5",
                "--set: `instructions.cube.drain.row_bytes_per_cycle` = 0.5 B/cycle is out of range, expected a whole number",
            ),
            (
                "instructions.paths.l1_to_l0a.bytes_per_cycle=0",
                "--set: `instructions.paths.l1_to_l0a.bytes_per_cycle` = 0 B/cycle is out of range, expected a rate above \
                 zero, of at most 1000000 bytes per cycle",
            ),
            (
                "instructions.cube.drain.scale=0",
                "--set: `instructions.cube.drain.scale` = 0 is out of range, expected a ratio above zero, of at most 1000",
            ),
        ] {
            assert_eq!(with(Arch::A2a3, &[change]).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn can_every_number_be_set_to_what_it_is() {
        for arch in Arch::ALL {
            let keys = Keys::of(arch);
            let places: BTreeSet<&str> = keys.places.iter().map(|place| place.number.as_str()).collect();
            assert_eq!((places.len(), keys.entries.len()), (keys.places.len(), keys.places.len()), "{arch}");
            // Each can be set to what it is, which changes nothing but who says so.
            let mut again = keys.document.clone();
            for (place, entry) in keys.places.iter().zip(&keys.entries) {
                // Constants of fits may be negative, which only a file can say.
                if !entry.value().starts_with('-') {
                    place.put(entry, &mut again).unwrap();
                }
                let millionths = |number: &Value| number.as_f64().map(|number| (number * 1e6).round());
                let number = |document: &Value| document.pointer(&place.number).and_then(millionths);
                assert_eq!(number(&again), number(&keys.document), "{}", entry.path());
            }
        }
    }
}
