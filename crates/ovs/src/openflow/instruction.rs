//! Instructions as bytes: OpenFlow 1.3 specification, section 7.2.4.

use super::action::Action;
use super::codec::{decode_actions, encode_action};
use super::wire::{Malformed, Reader, Writer, length};

/// `OFPIT_*`
mod kind {
    pub const GOTO_TABLE: u16 = 1;
    pub const WRITE_METADATA: u16 = 2;
    pub const APPLY_ACTIONS: u16 = 4;
    pub const CLEAR_ACTIONS: u16 = 5;
    pub const METER: u16 = 6;
}

/// Writes a list as instructions, in the order the specification does them.
pub(crate) fn encode_instructions(actions: &[Action], out: &mut Writer) {
    let plain: Vec<&Action> = actions.iter().filter(|action| !is_instruction(action)).collect();
    for action in actions {
        if let Action::Meter(id) = action {
            out.u16(kind::METER);
            out.u16(8);
            out.u32(*id);
        }
    }
    if !plain.is_empty() {
        let start = out.bytes.len();
        out.u16(kind::APPLY_ACTIONS);
        out.u16(0);
        out.zeros(4);
        plain.iter().for_each(|action| encode_action(action, out));
        out.patch_u16(start + 2, length(out.bytes.len() - start));
    }
    for action in actions {
        match action {
            Action::ClearActions => {
                out.u16(kind::CLEAR_ACTIONS);
                out.u16(8);
                out.zeros(4);
            }
            Action::WriteMetadata { value, mask } => {
                out.u16(kind::WRITE_METADATA);
                out.u16(24);
                out.zeros(4);
                out.u64(*value);
                out.u64(*mask);
            }
            Action::GotoTable(table) => {
                out.u16(kind::GOTO_TABLE);
                out.u16(8);
                out.u8(*table);
                out.zeros(3);
            }
            _ => {}
        }
    }
}

fn is_instruction(action: &Action) -> bool {
    matches!(
        action,
        Action::Meter(_) | Action::ClearActions | Action::WriteMetadata { .. } | Action::GotoTable(_)
    )
}

/// Reads instructions to the end of `bytes`.
pub(crate) fn decode_instructions(bytes: &[u8]) -> Result<Vec<Action>, Malformed> {
    let mut reader = Reader::new(bytes, "instructions");
    let mut out = Vec::new();
    while !reader.is_empty() {
        let (kind, len) = (reader.u16()?, usize::from(reader.u16()?));
        let body = reader.take(len.checked_sub(4).ok_or_else(|| Malformed::bytes("instructions", bytes))?)?;
        let mut body = Reader::new(body, "an instruction");
        match kind {
            kind::METER => out.push(Action::Meter(body.u32()?)),
            kind::APPLY_ACTIONS => {
                body.take(4)?;
                out.extend(decode_actions(body.rest())?);
            }
            kind::CLEAR_ACTIONS => out.push(Action::ClearActions),
            kind::WRITE_METADATA => {
                body.take(4)?;
                out.push(Action::WriteMetadata { value: body.u64()?, mask: body.u64()? });
            }
            kind::GOTO_TABLE => out.push(Action::GotoTable(body.u8()?)),
            _ => return Err(Malformed::bytes("an instruction", bytes)),
        }
    }
    Ok(out)
}
