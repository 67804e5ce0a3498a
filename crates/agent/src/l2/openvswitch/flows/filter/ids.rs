//! Numbers of conjunctions: each pair of a group and a remote group it refers to, with direction and IP version,
//! has a block of eight, two for each rank of its rules. They follow from the names, so that a restart finds the
//! numbers that are installed, and that a new group changes nobody else's.

use std::collections::{BTreeMap, BTreeSet};

use model::l2::{Direction, Ethertype};

/// Numbers of a block, and the bits of which block it is.
const BLOCK: u32 = 8;
const BLOCKS: u64 = 1 << 29;

/// Who refers to whom.
pub(super) type Reference<'a> = (&'a str, &'a str, Direction, Ethertype);

/// The first number of each one's block.
pub(super) fn blocks(all: BTreeSet<Reference<'_>>) -> BTreeMap<Reference<'_>, u32> {
    let (mut out, mut taken) = (BTreeMap::new(), BTreeSet::from([0]));
    for reference in all {
        let mut block = hash(reference) % BLOCKS;
        // Two that meet: the later one takes the next that is free.
        while !taken.insert(block) {
            block = (block + 1) % BLOCKS;
        }
        let block = u32::try_from(block).unwrap_or_default();
        out.insert(reference, block * BLOCK);
    }
    out
}

/// FNV-1a: the same on every host and in every version, as the standard library's is not.
fn hash((group, remote, direction, ethertype): Reference<'_>) -> u64 {
    let kind = [direction as u8, ethertype as u8];
    let bytes = group.bytes().chain(remote.bytes()).chain(kind);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
