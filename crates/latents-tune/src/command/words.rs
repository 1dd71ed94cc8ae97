//! The words of a line of a program's output: numbers, text, and what is neither.

/// Why a word is neither a number nor text.
pub(super) const COMMA: &str = "a comma is within the number; a decimal point is needed";
pub(super) const ODD: &str = "a word in it is only in part a number";
pub(super) const INEXACT: &str = "the number is only a bound or an estimate";

/// The line as a terminal shows it: without colours and other control characters.
pub(super) fn clean(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                // A control sequence ends with a letter or a sign like it.
                Some('[') => while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // A command to the terminal, such as a title, ends with a bell or with `ESC \`.
                Some(']') => {
                    while let Some(c) = rest.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                Some(' '..='/') => while rest.next().is_some_and(|c| (' '..='/').contains(&c)) {},
                _ => {}
            },
            '\u{8}' => drop(shown.pop()),
            '\t' | '\u{a0}' | '\u{202f}' => shown.push(' '),
            '\u{2212}' => shown.push('-'),
            '\u{ff1a}' => shown.push(':'),
            '\u{ff1d}' => shown.push('='),
            '\u{feff}' => {}
            c if c.is_control() => {}
            c => shown.push(c),
        }
    }
    shown.trim().to_owned()
}

/// A word of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Text(String),
    Number {
        value: f64,
        is_percent: bool,
    },
    /// As in `3/10`.
    Counter,
    /// Neither a number nor text.
    Odd(&'static str),
}

/// The words of a line; brackets, quotes and signs of equality end a word.
pub(super) fn words(line: &str) -> Vec<Word> {
    let line = without_attributes(line);
    let is_tagged = line.contains('<') && line.ends_with('>');
    let line = if is_tagged { &line[..line.len() - 1] } else { &line[..] };
    let mut words = vec![];
    for word in line.split_whitespace() {
        if word.contains("://") {
            words.push(Word::Text(word.into()));
            continue;
        }
        let is_end = |c: char| "=()[]{}\"'`|;*".contains(c);
        for chunk in word.split(is_end) {
            words.extend(pieces(chunk).filter(|piece| !piece.is_empty()).map(classify));
        }
    }
    words
}

/// Splits at a colon or a comma that is not between digits.
fn pieces(chunk: &str) -> impl Iterator<Item = &str> {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let mut pieces = vec![];
    let mut start = 0;
    for (i, c) in chunk.char_indices().filter(|(_, c)| ":,".contains(*c)) {
        let (before, after) = (&chunk[..i], &chunk[i + c.len_utf8()..]);
        if !(is_digit(before.chars().next_back()) && is_digit(after.chars().next())) {
            pieces.push(&chunk[start..i]);
            start = i + 1;
        }
    }
    pieces.push(&chunk[start..]);
    pieces.into_iter().map(|piece| piece.trim_end_matches(['.', '!', '?', '…']))
}

fn classify(piece: &str) -> Word {
    let unsigned = piece.trim_start_matches(['+', '-']).to_lowercase();
    let is_special = ["nan", "inf", "infinity"].contains(&unsigned.as_str());
    if !is_special && !piece.contains(char::is_numeric) {
        return Word::Text(piece.into());
    }
    if let Some(value) = plain(piece) {
        return Word::Number { value, is_percent: false };
    }
    if let Some(value) = piece.strip_suffix('%').and_then(plain) {
        return Word::Number { value, is_percent: true };
    }
    let starts_as_text = piece.starts_with(|c: char| c.is_alphabetic() || "_/\\".contains(c))
        || ["./", "../", "~/", "--", "@", "<"].iter().any(|s| {
            piece.strip_prefix(s).is_some_and(|rest| rest.starts_with(char::is_alphabetic))
        });
    if starts_as_text || is_stamp(piece) {
        return Word::Text(piece.into());
    }
    let groups = |sign: char| -> Vec<&str> {
        let parts: Vec<&str> = piece.split(sign).collect();
        let is_number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        if parts.len() > 1 && parts.iter().all(is_number) { parts } else { vec![] }
    };
    if groups('/').len() == 2 {
        return Word::Counter;
    }
    let has_comma = piece.contains(',');
    Word::Odd(if has_comma {
        COMMA
    } else if piece.starts_with(['<', '>', '~', '≈', '≤', '≥', '±']) {
        INEXACT
    } else {
        ODD
    })
}

/// A number as programs print it.
pub(super) fn plain(text: &str) -> Option<f64> {
    let lower = text.trim_start_matches(['+', '-']).to_lowercase();
    let is_number = lower.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || ["nan", "inf", "infinity"].contains(&lower.as_str());
    if is_number { text.parse().ok() } else { None }
}

/// Whether a word is a date or a time, as a log has them.
fn is_stamp(piece: &str) -> bool {
    const DATES: [&str; 2] = ["0000-00-00", "0000/00/00"];
    const TIMES: [&str; 4] = ["00:00:00", "0:00:00", "00:00", "0:00"];
    let is_date = |text: &str| DATES.contains(&form_of(text).as_str());
    if is_date(piece) {
        return true;
    }
    // A date and a time may be joined, and a time have fractions and a zone.
    let time = match piece.split_once('T') {
        Some((date, time)) if is_date(date) => time,
        Some(_) => return false,
        None => piece,
    };
    let time = time.trim_end_matches('Z');
    let (time, fraction) = time.split_once([',', '.']).unwrap_or((time, ""));
    fraction.chars().all(|c| c.is_ascii_digit()) && TIMES.contains(&form_of(time).as_str())
}

/// The text with 0 in place of every digit.
fn form_of(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

/// The line without what libraries print of an array beside its numbers, as in `tensor(0.5, device='cuda:0')`.
fn without_attributes(line: &str) -> String {
    const NAMES: [&str; 7] =
        ["device", "dtype", "grad_fn", "requires_grad", "shape", "layout", "weak_type"];
    let mut kept = line.to_owned();
    for name in NAMES {
        let mut from = 0;
        while let Some(at) = kept[from..].find(name).map(|i| i + from) {
            from = at + name.len();
            let is_inside =
                kept[..at].contains(['(', '<']) && kept[..at].ends_with([' ', ',', '(', ':']);
            let Some(value) = kept[from..].trim_start().strip_prefix('=') else { continue };
            if !is_inside {
                continue;
            }
            let value = value.trim_start();
            let start = kept.len() - value.len();
            let close = match value.chars().next() {
                Some(quote @ ('\'' | '"')) => value[1..].find(quote).map(|i| i + 2),
                Some('<') => value.find('>').map(|i| i + 1),
                Some('(') => value.find(')').map(|i| i + 1),
                _ => value.find([',', ')', '>', ' ']),
            };
            let end = close.map_or(kept.len(), |close| start + close);
            kept.replace_range(at..end, "");
            from = at;
        }
    }
    kept
}
