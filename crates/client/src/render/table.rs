//! Tables drawn with `+`, `-` and `|`, as prettytable draws them for cliff.

use serde_json::Value;

use crate::python;

/// The room there is for a table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fit {
    /// Columns a line may have; `None`: as many as it takes.
    pub columns: Option<usize>,
}

/// Below this many characters a column of a list is not narrowed.
const LIST_COLUMN_MIN: usize = 8;
/// Below this many characters a column of a single object is not narrowed.
const FIELD_COLUMN_MIN: usize = 16;

#[derive(Clone, Copy, PartialEq)]
enum Align {
    Left,
    Right,
    Centre,
}

/// A list; nothing but a line break if there is nothing to show, unless `print_empty`.
pub fn list(columns: &[String], rows: &[Vec<Value>], print_empty: bool, fit: Fit) -> String {
    if rows.is_empty() && !print_empty {
        return "\n".to_owned();
    }
    let align: Vec<Align> = match rows.first() {
        None => vec![Align::Centre; columns.len()],
        Some(row) => {
            row.iter().map(|cell| if cell.is_number() { Align::Right } else { Align::Left }).collect()
        }
    };
    let cells = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    draw(columns, cells, &align, fit, LIST_COLUMN_MIN)
}

/// One object as a table of fields and values.
pub fn one(fields: &[(String, Value)], fit: Fit) -> String {
    if fields.is_empty() {
        return "\n".to_owned();
    }
    let columns = ["Field".to_owned(), "Value".to_owned()];
    let cells = fields.iter().map(|(name, value)| vec![name.clone(), cell(value)]).collect();
    draw(&columns, cells, &[Align::Left, Align::Left], fit, FIELD_COLUMN_MIN)
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.replace("\r\n", "\n").replace('\r', " "),
        other => python::text(other),
    };
    if text.contains('\t') { expand_tabs(&text) } else { text }
}

fn expand_tabs(text: &str) -> String {
    const TAB: usize = 8;
    let mut out = String::new();
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' => {
                let spaces = TAB - column % TAB;
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            '\n' => {
                out.push(c);
                column = 0;
            }
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

fn draw(columns: &[String], rows: Vec<Vec<String>>, align: &[Align], fit: Fit, narrowest: usize) -> String {
    if columns.is_empty() {
        return "++\n||\n++\n++\n".to_owned();
    }
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, name)| {
            rows.iter()
                .flat_map(|row| row[at].split('\n'))
                .chain([name.as_str()])
                .map(width)
                .max()
                .unwrap_or(0)
        })
        .collect();
    let limits = limits(&natural, fit, narrowest);
    let widths: Vec<usize> = natural
        .iter()
        .zip(columns)
        .zip(&limits)
        .map(|((&natural, name), limit)| limit.map_or(natural, |limit| natural.min(limit).max(width(name))))
        .collect();
    let rule: String =
        widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).collect::<String>() + "+\n";
    let mut out = rule.clone();
    line(&mut out, &columns.iter().map(String::as_str).collect::<Vec<_>>(), &widths, align);
    out.push_str(&rule);
    for row in rows {
        let cells: Vec<Vec<String>> =
            row.iter().zip(&widths).map(|(text, width)| wrap(text, *width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let texts: Vec<&str> = cells.iter().map(|cell| cell.get(at).map_or("", String::as_str)).collect();
            line(&mut out, &texts, &widths, align);
        }
    }
    out.push_str(&rule);
    out
}

fn line(out: &mut String, texts: &[&str], widths: &[usize], align: &[Align]) {
    for ((text, room), align) in texts.iter().zip(widths).zip(align) {
        let spare = room.saturating_sub(width(text));
        let before = match align {
            Align::Left => 0,
            Align::Right => spare,
            // Python's str.center puts the odd space first when the whole is odd too.
            Align::Centre => spare / 2 + (spare & room & 1),
        };
        out.push_str("| ");
        out.extend(std::iter::repeat_n(' ', before));
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', spare - before));
        out.push(' ');
    }
    out.push_str("|\n");
}

/// The narrowed columns, if the table is wider than the room for it.
fn limits(natural: &[usize], fit: Fit, narrowest: usize) -> Vec<Option<usize>> {
    let mut limits = vec![None; natural.len()];
    let Some(room) = fit.columns else { return limits };
    let whole = natural.iter().map(|width| width + 3).sum::<usize>() + 1;
    if whole <= room {
        return limits;
    }
    let usable = room.saturating_sub(1 + 3 * natural.len());
    let fair = usable / natural.len().max(1);
    let wide: Vec<usize> = (0..natural.len()).filter(|&at| natural[at] > fair).collect();
    let narrow: usize = natural.iter().filter(|width| **width <= fair).sum();
    let mut left = usable.saturating_sub(narrow);
    let share = left / wide.len().max(1);
    for (nth, &at) in wide.iter().enumerate() {
        if nth + 1 == wide.len() {
            limits[at] = Some(narrowest.max(left));
        } else {
            limits[at] = Some(narrowest.max(share));
            left -= share;
        }
    }
    limits
}

/// Breaks each line of a cell at spaces and after hyphens, and words longer than `room` anywhere.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        if width(line) <= room {
            lines.push(line.to_owned());
        } else {
            wrap_line(line, room.max(1), &mut lines);
        }
    }
    lines
}

fn wrap_line(line: &str, room: usize, lines: &mut Vec<String>) {
    let mut current = String::new();
    for mut piece in pieces(line) {
        if width(&current) + width(piece.trim_end()) <= room {
            current.push_str(piece);
            continue;
        }
        if width(piece.trim()) > room {
            while width(&current) + width(piece.trim_end()) > room {
                let free = room - width(&current).min(room);
                let fitting = prefix(piece, free);
                // A word too long for a line is cut after its last hyphen that fits, if it has one.
                let hyphen =
                    piece[..fitting].rfind('-').filter(|at| !piece[..*at].trim_matches('-').is_empty());
                let cut = hyphen.map_or(fitting, |at| at + 1);
                current.push_str(&piece[..cut]);
                piece = &piece[cut..];
                lines.push(current.trim_end().to_owned());
                current.clear();
            }
        } else {
            lines.push(current.trim_end().to_owned());
            current.clear();
            piece = piece.trim_start();
        }
        current.push_str(piece);
    }
    if !current.trim_end().is_empty() {
        lines.push(current.trim_end().to_owned());
    }
}

/// The pieces between which a line may break: words with the space after them, and the parts of hyphenated words.
fn pieces(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let bytes = line.as_bytes();
    for at in 1..bytes.len() {
        let letter = |byte: u8| byte.is_ascii_alphabetic();
        let after_space = bytes[at - 1] == b' ' && bytes[at] != b' ';
        let after_hyphen = bytes[at - 1] == b'-'
            && at >= 3
            && letter(bytes[at - 2])
            && letter(bytes[at - 3])
            && letter(bytes[at]);
        if (after_space || after_hyphen) && line.is_char_boundary(at) {
            pieces.push(&line[start..at]);
            start = at;
        }
    }
    pieces.push(&line[start..]);
    pieces
}

fn prefix(text: &str, room: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += char_width(c);
        if used > room {
            return at;
        }
    }
    text.len()
}

/// How many columns of a terminal a text takes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char_width).sum() }
}

/// East Asian wide characters take two columns, combining marks none (Unicode 15, the blocks that matter).
fn char_width(c: char) -> usize {
    const NONE: [(u32, u32); 9] = [
        (0x300, 0x36f),
        (0x483, 0x489),
        (0x591, 0x5bd),
        (0x610, 0x61a),
        (0x64b, 0x65f),
        (0x1ab0, 0x1aff),
        (0x200b, 0x200f),
        (0x20d0, 0x20ff),
        (0xfe00, 0xfe0f),
    ];
    const TWO: [(u32, u32); 14] = [
        (0x1100, 0x115f),
        (0x2e80, 0x303e),
        (0x3041, 0x33ff),
        (0x3400, 0x4dbf),
        (0x4e00, 0x9fff),
        (0xa000, 0xa4cf),
        (0xa960, 0xa97f),
        (0xac00, 0xd7a3),
        (0xf900, 0xfaff),
        (0xfe30, 0xfe6f),
        (0xff00, 0xff60),
        (0xffe0, 0xffe6),
        (0x1f300, 0x1f9ff),
        (0x20000, 0x3fffd),
    ];
    let code = u32::from(c);
    let within = |ranges: &[(u32, u32)]| ranges.iter().any(|(from, to)| (*from..=*to).contains(&code));
    if within(&NONE) {
        0
    } else if within(&TWO) {
        2
    } else {
        1
    }
}
