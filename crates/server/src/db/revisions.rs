//! The revisions of upstream's tables from Kilo to 29.0.0, as alembic tells them apart.

/// One step of upstream's migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revision {
    /// Its name.
    pub id: &'static str,
    /// The one before it in its branch; `<base>` for the first.
    pub parent: &'static str,
    /// One of the other branch that must be there too.
    pub depends: Option<&'static str>,
    /// `expand`, `contract`, or `branchpoint` where the two begin.
    pub branch: &'static str,
}

/// All of them, the newest of each branch first.
pub fn all() -> impl Iterator<Item = Revision> {
    include_str!("../../migrations/revisions.tsv").lines().filter_map(|line| {
        let mut cells = line.split('\t');
        let (id, parent) = (cells.next()?, cells.next()?);
        let depends = cells.next().filter(|depends| !depends.is_empty());
        Some(Revision { id, parent, depends, branch: cells.next()? })
    })
}

#[cfg(test)]
mod tests {
    use super::super::schema::ALEMBIC_HEADS;
    use super::*;

    #[test]
    fn the_heads_are_those_that_are_installed() {
        let mut heads: Vec<&str> = all().map(|r| r.id).filter(|id| !all().any(|r| r.parent == *id)).collect();
        heads.sort_unstable();
        assert_eq!(heads, ALEMBIC_HEADS);
        assert!(all().all(|r| r.parent == "<base>" || all().any(|p| p.id == r.parent)));
    }
}
