//! Answers written straight from cells: no map and no JSON value per row.

use crate::record::{Cell, Page};

/// Writes `{"networks": [{…}, …]` of the rows and places chosen; the caller closes the object.
pub fn rows(collection: &str, page: &Page, rows: &[usize], places: &[usize]) -> Vec<u8> {
    // A row of a port is about 700 bytes.
    let mut out = Vec::with_capacity(64 + rows.len() * 768);
    out.push(b'{');
    text(&mut out, collection);
    out.extend_from_slice(b":[");
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b",");
        }
        object(&mut out, page, *row, places);
    }
    out.push(b']');
    out
}

/// Writes `{"network": {…}}` of one row.
pub fn single(name: &str, page: &Page, row: usize, places: &[usize]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.push(b'{');
    text(&mut out, name);
    out.extend_from_slice(b":");
    object(&mut out, page, row, places);
    out.push(b'}');
    out
}

fn object(out: &mut Vec<u8>, page: &Page, row: usize, places: &[usize]) {
    let Some(cells) = page.rows.get(row) else { return };
    let mut first = true;
    out.push(b'{');
    for place in places {
        let (Some(name), Some(cell)) = (page.names.get(*place), cells.get(*place)) else { continue };
        if let Cell::Absent = cell {
            continue;
        }
        if !first {
            out.extend_from_slice(b",");
        }
        first = false;
        text(out, name);
        out.extend_from_slice(b":");
        value(out, cell);
    }
    out.push(b'}');
}

fn value(out: &mut Vec<u8>, cell: &Cell) {
    match cell {
        Cell::Absent | Cell::Null => out.extend_from_slice(b"null"),
        Cell::Bool(true) => out.extend_from_slice(b"true"),
        Cell::Bool(false) => out.extend_from_slice(b"false"),
        Cell::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Cell::Text(words) => text(out, words),
        Cell::Json(json) => out.extend_from_slice(json.as_bytes()),
    }
}

/// A JSON text: what needs no escape is copied in one piece.
pub fn text(out: &mut Vec<u8>, words: &str) {
    out.push(b'"');
    let mut start = 0;
    for (at, byte) in words.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => b"",
            _ => continue,
        };
        out.extend_from_slice(&words.as_bytes()[start..at]);
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        start = at + 1;
    }
    out.extend_from_slice(&words.as_bytes()[start..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_json() {
        let page = Page::new(
            ["id", "up", "mtu", "extra", "gone"].into(),
            vec![vec![
                Cell::Text("a\"\\\n\u{1}ä".into()),
                Cell::Bool(true),
                Cell::Int(-1),
                Cell::Json("[1]".into()),
                Cell::Absent,
            ]],
        );
        let json = String::from_utf8(single("network", &page, 0, &[0, 1, 2, 3, 4])).unwrap();
        assert_eq!(
            json,
            "{\"network\":{\"id\":\"a\\\"\\\\\\n\\u0001ä\",\"up\":true,\"mtu\":-1,\"extra\":[1]}}"
        );
        let json = String::from_utf8(rows("networks", &page, &[0, 0], &[1])).unwrap();
        assert_eq!(json, "{\"networks\":[{\"up\":true},{\"up\":true}]");
    }
}
