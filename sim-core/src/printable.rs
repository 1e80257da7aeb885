//! Text from outside in a message of one line.

/// The text with control characters as escapes; what is printable stays as it is.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_control() => shown.extend(letter.escape_default()),
            letter => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_text_of_several_lines_become_one() {
        assert_eq!(printable("a\nb\r\u{1b}[31m'ß'"), "a\\nb\\r\\u{1b}[31m'ß'");
    }
}
