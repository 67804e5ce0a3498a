//! Tables as commands print them, and whether one has the layout of another.

/// A table: names of its columns, its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The names at the top.
    pub head: Vec<String>,
    /// The cells below.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The first table of a text; none if there is none.
    pub fn of(text: &str) -> Option<Table> {
        let mut rows = text.lines().map(str::trim).filter(|line| line.starts_with('|')).map(cells);
        Some(Table { head: rows.next()?, rows: rows.collect() })
    }

    /// The cells of a column.
    pub fn column(&self, name: &str) -> Vec<&str> {
        let Some(at) = self.head.iter().position(|known| known == name) else { return Vec::new() };
        self.rows.iter().filter_map(|row| row.get(at).map(String::as_str)).collect()
    }

    /// The value of a field, in a table of fields and values; what follows in rows without a name belongs to it.
    pub fn value(&self, field: &str) -> Option<String> {
        let at = self.rows.iter().position(|row| row.first().is_some_and(|name| name == field))?;
        let more = self.rows.iter().skip(at + 1).take_while(|row| row.first().is_some_and(String::is_empty));
        let all: Vec<&str> = self
            .rows
            .iter()
            .skip(at)
            .take(1)
            .chain(more)
            .filter_map(|row| row.get(1).map(String::as_str))
            .collect();
        Some(all.join("\n"))
    }
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// What of `expected` is missing in `real`: a column, a field, a value of a field that `volatile` does not name.
/// What is new in `real` is no fault: fields have been added since. Fields are in the guide's order where that is
/// asked for.
pub fn missing(
    expected: &Table,
    real: &Table,
    volatile: &dyn Fn(&str) -> bool,
    ordered: bool,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut columns = real.head.iter();
    for name in &expected.head {
        if !found(&mut columns, |known| known == name) {
            faults.push(format!("column {name} is missing or in another place: {}", real.head.join(", ")));
        }
    }
    if expected.head != ["Field", "Value"] {
        return faults;
    }
    let names: Vec<&String> = real.rows.iter().filter_map(|row| row.first()).collect();
    let mut fields = names.iter();
    for row in &expected.rows {
        let [name, value] = row.as_slice() else { continue };
        if !ordered {
            fields = names.iter();
        }
        if !found(&mut fields, |known| *known == name) {
            faults.push(format!("field {name} is missing or in another place"));
            continue;
        }
        let value_here = real.value(name).unwrap_or_default();
        if !volatile(name) && &value_here != value {
            faults.push(format!("field {name} is {value_here:?}, in the guide {value:?}"));
        }
    }
    faults
}

/// Whether it comes further on; only then that is where the next search begins.
fn found<T>(items: &mut (impl Iterator<Item = T> + Clone), is: impl Fn(T) -> bool) -> bool {
    let mut ahead = items.clone();
    let there = ahead.any(is);
    if there {
        *items = ahead;
    }
    there
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str =
        "+---+\n| Field  | Value  | \n+--+\n| id  | 1  | \n| name | a  | \n| subnets | | \n+--+";

    #[test]
    fn what_is_missing_is_named() {
        let guide = Table::of(GUIDE).unwrap();
        let real = "+---+\n| Field | Value |\n+---+\n| id | 2 |\n| mtu | 1500 |\n| name | a |\n| subnets | x |\n\
                    |   | y |\n+---+";
        let real = Table::of(real).unwrap();
        let volatile = |name: &str| name == "id";
        assert_eq!(
            missing(&guide, &real, &volatile, true),
            ["field subnets is \"x\\ny\", in the guide \"\""]
        );
        assert_eq!(missing(&real, &guide, &volatile, true).len(), 3);
        assert_eq!(real.value("name").as_deref(), Some("a"));
        assert_eq!(real.column("Field"), ["id", "mtu", "name", "subnets", ""]);
    }
}
