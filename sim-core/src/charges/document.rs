//! A charge file: JSON with a list of charges.

use serde_json::{Map, Value};

use super::error::ChargeError;
use super::role::ObjectRole;
use super::symbol::Spelling;
use super::{Charge, Charges};
use crate::profile::{Confidence, Entry, ProfileError};

/// Reads the text of a charge file, which errors call `origin`.
pub(super) fn parse(origin: &str, text: &str) -> Result<Charges, ChargeError> {
    let json: Value = serde_json::from_str(text)
        .map_err(|error| ProfileError::NotJson { origin: origin.to_owned(), reason: error.to_string() })?;
    let top = Object::of(origin, "", &json, "an object with `for` and `charges`", &["for", "charges"])?;
    let meant_for = top.text("for")?.ok_or_else(|| top.missing("for", "which objects the charges are meant for"))?;
    let charges = match top.fields.get("charges") {
        Some(Value::Array(charges)) => charges,
        Some(other) => return Err(top.malformed("charges", other, "a list of charges")),
        None => return Err(top.missing("charges", "a list of charges")),
    };
    let path = |index: usize| format!("charges[{index}]");
    let charges = charges.iter().enumerate().map(|(index, json)| read_charge(origin, &path(index), json));
    let charges = charges.collect::<Result<Vec<Charge>, ChargeError>>()?;
    for (second, charge) in charges.iter().enumerate() {
        if let Some(first) = charges[..second].iter().position(|earlier| conflict(earlier, charge)) {
            return Err(ChargeError::Duplicate {
                origin: origin.to_owned(),
                symbol: charge.symbol.as_str().to_owned(),
                first: path(first),
                second: path(second),
            });
        }
    }
    Ok(Charges { origin: origin.to_owned(), meant_for, charges })
}

/// Whether both would charge the same calls.
fn conflict(one: &Charge, other: &Charge) -> bool {
    let object_of_both = one.object.is_none() || other.object.is_none() || one.object == other.object;
    object_of_both && one.symbol.key == other.symbol.key
}

fn read_charge(origin: &str, path: &str, json: &Value) -> Result<Charge, ChargeError> {
    const FIELDS: [&str; 5] = ["symbol", "object", "cost", "per", "optional"];
    let entry = Object::of(origin, path, json, "an object with symbol and cost", &FIELDS)?;
    let symbol = match entry.fields.get("symbol") {
        Some(Value::String(text)) => Spelling::parse(text).map_err(|mistake| ChargeError::Symbol {
            origin: origin.to_owned(),
            key: entry.key("symbol"),
            symbol: text.clone(),
            mistake,
        })?,
        Some(other) => return Err(entry.malformed("symbol", other, "a function's name")),
        None => return Err(entry.missing("symbol", "the function whose calls are charged")),
    };
    let object = match entry.text("object")? {
        None => None,
        Some(name) => Some(ObjectRole::from_name(&name).ok_or_else(|| {
            let names = ObjectRole::ALL.map(ObjectRole::as_str);
            entry.malformed("object", &entry.fields["object"], &format!("one of {}", names.join(", ")))
        })?),
    };
    let optional = match entry.fields.get("optional") {
        None => false,
        Some(Value::Bool(optional)) => *optional,
        Some(other) => return Err(entry.malformed("optional", other, "true or false")),
    };
    let cost = entry.fields.get("cost").ok_or_else(|| entry.missing("cost", "what a call costs"))?;
    let cost = Entry::from_json(origin, &entry.key("cost"), cost, Some(Confidence::Placeholder))?.duration()?;
    Ok(Charge { symbol, object, cost, per: entry.text("per")?, optional })
}

/// An object in the file, whose fields are all known.
struct Object<'j> {
    origin: &'j str,
    /// Where in the file; empty at the top.
    path: &'j str,
    fields: &'j Map<String, Value>,
}

impl<'j> Object<'j> {
    fn of(
        origin: &'j str,
        path: &'j str,
        json: &'j Value,
        expected: &str,
        known: &[&str],
    ) -> Result<Self, ChargeError> {
        let Value::Object(fields) = json else {
            let place = if path.is_empty() { "." } else { path };
            return Err(ProfileError::malformed(origin, place, json, expected).into());
        };
        let object = Object { origin, path, fields };
        match fields.keys().find(|field| !known.contains(&field.as_str())) {
            None => Ok(object),
            Some(unknown) => {
                let nearest = known.iter().min_by_key(|field| strsim::levenshtein(unknown, field));
                Err(ChargeError::Value(ProfileError::UnknownKey {
                    origin: origin.to_owned(),
                    key: object.key(unknown),
                    nearest: object.key(nearest.copied().unwrap_or_default()),
                }))
            }
        }
    }

    fn key(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// The text of a field, if there is one.
    fn text(&self, field: &str) -> Result<Option<String>, ChargeError> {
        match self.fields.get(field) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
            Some(other) => Err(self.malformed(field, other, "a text that is not empty")),
        }
    }

    fn malformed(&self, field: &str, found: &Value, expected: &str) -> ChargeError {
        ProfileError::malformed(self.origin, &self.key(field), found, expected).into()
    }

    fn missing(&self, field: &str, expected: &str) -> ChargeError {
        ChargeError::Value(ProfileError::MissingKey {
            origin: self.origin.to_owned(),
            key: self.key(field),
            expected: expected.to_owned(),
        })
    }
}
