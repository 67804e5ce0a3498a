//! The usage line and the help page, laid out as argparse lays them out.

use super::{Count, Opt, Parser, Pos, Section};

/// The widest column at which a help text starts.
const HELP_COLUMN_MAX: usize = 24;
const INDENT: usize = 2;

/// The usage line, wrapped to `width` columns, ending in a line break.
pub fn usage(parser: &Parser, width: usize) -> String {
    const PREFIX: &str = "usage: ";
    let width = width.saturating_sub(2).max(11);
    let optional = option_parts(parser);
    let positional: Vec<String> =
        parser.positionals.iter().filter(|pos| !pos.help.is_empty()).flat_map(positional_parts).collect();
    let prog = parser.prog.clone();
    let whole: Vec<&str> =
        [prog.as_str()].into_iter().chain(optional.iter().chain(&positional).map(String::as_str)).collect();
    let line = format!("{PREFIX}{}", whole.join(" "));
    if line.chars().count() <= width {
        return line + "\n";
    }
    let first = PREFIX.len() + prog.len();
    let lines = if first * 4 <= width * 3 {
        let indent = first + 1;
        let mut lines = if optional.is_empty() {
            fill(&[vec![prog], positional.clone()].concat(), indent, Some(PREFIX.len()), width)
        } else {
            let mut lines = fill(&[vec![prog], optional.clone()].concat(), indent, Some(PREFIX.len()), width);
            lines.extend(fill(&positional, indent, None, width));
            lines
        };
        if let Some(head) = lines.first_mut() {
            *head = head.trim_start().to_owned();
        }
        lines
    } else {
        let indent = PREFIX.len();
        let mut lines = vec![prog];
        lines.extend(fill(&optional, indent, None, width));
        lines.extend(fill(&positional, indent, None, width));
        lines
    };
    format!("{PREFIX}{}\n", lines.join("\n"))
}

fn fill(parts: &[String], indent: usize, first: Option<usize>, width: usize) -> Vec<String> {
    let margin = " ".repeat(indent);
    let mut lines = Vec::new();
    let mut line: Vec<&str> = Vec::new();
    let mut used = first.unwrap_or(indent) - 1;
    for part in parts {
        if used + 1 + part.len() > width && !line.is_empty() {
            lines.push(format!("{margin}{}", line.join(" ")));
            line.clear();
            used = indent - 1;
        }
        line.push(part);
        used += part.len() + 1;
    }
    if !line.is_empty() {
        lines.push(format!("{margin}{}", line.join(" ")));
    }
    lines
}

fn option_parts(parser: &Parser) -> Vec<String> {
    let shown: Vec<&Opt> = parser.options().filter(|opt| !opt.help.is_empty()).collect();
    let mut parts = vec!["[-h]".to_owned()];
    let mut at = 0;
    while at < shown.len() {
        let opt = shown[at];
        let members =
            shown[at..].iter().take_while(|other| opt.group > 0 && other.group == opt.group).count();
        if members > 1 {
            let inner: Vec<String> = shown[at..at + members].iter().map(|opt| invocation(opt)).collect();
            parts.extend(pieces(&format!("[{}]", inner.join(" | "))));
            at += members;
            continue;
        }
        if opt.required {
            parts.extend(invocation(opt).split(' ').map(str::to_owned));
        } else {
            parts.push(format!("[{}]", invocation(opt)));
        }
        at += 1;
    }
    parts
}

/// Where argparse lets a bracketed part break: after a bracket that closes before a space, even an inner one.
fn pieces(part: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = part;
    while !rest.is_empty() {
        let end = if rest.starts_with('[') { rest.find("] ").map(|at| at + 1) } else { rest.find(' ') };
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        pieces.push(piece.to_owned());
        rest = after.trim_start();
    }
    pieces
}

fn invocation(opt: &Opt) -> String {
    let flag = opt.flags.first().copied().unwrap_or_default();
    if opt.takes_word() { format!("{flag} {}", opt.word()) } else { flag.to_owned() }
}

fn positional_parts(pos: &Pos) -> Vec<String> {
    let word = pos.word();
    match pos.count {
        Count::One => vec![word],
        Count::Optional => vec![format!("[{word}]")],
        Count::Many => vec![word.clone(), format!("[{word} ...]")],
    }
}

/// A heading with what stands below it.
struct Block {
    title: String,
    about: String,
    /// What is explained, and the explanation.
    rows: Vec<(String, String)>,
}

/// The whole help page.
pub fn help(parser: &Parser, width: usize) -> String {
    let blocks = blocks(parser);
    let longest =
        blocks.iter().flat_map(|block| &block.rows).map(|(head, _)| head.len() + INDENT).max().unwrap_or(0);
    let column = HELP_COLUMN_MAX.min(longest + 2);
    let width = width.saturating_sub(2).max(40);
    let mut page = usage(parser, width + 2);
    if !parser.about.is_empty() {
        page.push_str(&format!("\n{}\n", wrap(&parser.about, width).join("\n")));
    }
    for block in blocks.iter().filter(|block| !block.rows.is_empty()) {
        page.push_str(&format!("\n{}:\n", block.title));
        if !block.about.is_empty() {
            page.push_str(&format!("  {}\n\n", block.about));
        }
        for (head, help) in &block.rows {
            page.push_str(&row(head, help, column, width));
        }
    }
    page
}

fn blocks(parser: &Parser) -> Vec<Block> {
    let positionals = parser.positionals.iter().filter(|pos| !pos.help.is_empty());
    let positionals = positionals.map(|pos| (pos.word(), pos.help.to_owned())).collect();
    let mut plain = vec![("-h, --help".to_owned(), "show this help message and exit".to_owned())];
    plain.extend(parser.sections.iter().filter(|section| section.title.is_empty()).flat_map(section_rows));
    let mut blocks = vec![
        Block { title: "positional arguments".to_owned(), about: String::new(), rows: positionals },
        Block { title: "options".to_owned(), about: String::new(), rows: plain },
    ];
    for section in parser.sections.iter().filter(|section| !section.title.is_empty()) {
        let rows = section_rows(section);
        match blocks.iter_mut().find(|block| block.title == section.title) {
            Some(block) => block.rows.extend(rows),
            None => {
                blocks.push(Block { title: section.title.to_owned(), about: section.about.to_owned(), rows })
            }
        }
    }
    blocks
}

fn section_rows(section: &Section) -> Vec<(String, String)> {
    let shown = section.options.iter().filter(|opt| !opt.help.is_empty());
    shown
        .map(|opt| {
            let spelled: Vec<String> = opt
                .flags
                .iter()
                .map(
                    |flag| {
                        if opt.takes_word() { format!("{flag} {}", opt.word()) } else { (*flag).to_owned() }
                    },
                )
                .collect();
            (spelled.join(", "), opt.help.to_owned())
        })
        .collect()
}

fn row(head: &str, help: &str, column: usize, width: usize) -> String {
    let lines = wrap(help, width - column);
    let mut text = if head.len() + INDENT + 2 <= column {
        format!(
            "{:INDENT$}{head:<space$}{}\n",
            "",
            lines.first().map_or("", String::as_str),
            space = column - INDENT
        )
    } else {
        let first = lines.first().map_or("", String::as_str);
        format!("{:INDENT$}{head}\n{:column$}{first}\n", "", "")
    };
    for line in lines.iter().skip(1) {
        text.push_str(&format!("{:column$}{line}\n", ""));
    }
    text
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}
