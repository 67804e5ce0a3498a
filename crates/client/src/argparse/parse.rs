//! Reading a command line, in argparse's order and with its words for what is wrong.

use serde_json::{Map, Value, json};

use super::{Action, Args, Count, Default, Kind, Opt, Parser, Pos};
use crate::python;

/// Why a command line is refused: argparse's words without the usage before them, or the wish for help.
#[derive(Debug, PartialEq)]
pub enum Stop {
    /// `-h` or `--help` was met.
    Help,
    /// Something is wrong.
    Error(String),
}

/// The words of a line that no option and no positional took.
pub type Extras = Vec<String>;

#[derive(Clone, Copy, PartialEq)]
enum Word {
    Plain,
    Option(Match),
}

#[derive(Clone, Copy, PartialEq)]
enum Match {
    Help,
    Known { option: usize, flag: &'static str, explicit: Option<usize> },
    Unknown,
}

struct Reading<'a> {
    parser: &'a Parser,
    options: Vec<&'static Opt>,
    words: &'a [String],
    kinds: Vec<Word>,
    args: Args,
    extras: Extras,
    seen: Vec<usize>,
    left: &'a [Pos],
}

/// Reads `words`: what the options and positionals took, and the rest.
///
/// # Errors
/// The first thing that is wrong, or the wish for help.
pub fn parse_known(parser: &Parser, words: &[String]) -> Result<(Args, Extras), Stop> {
    let options: Vec<&'static Opt> = parser.options().collect();
    let mut args = Args::new();
    for option in &options {
        if !args.contains_key(option.dest)
            && let Some(value) = initial(option)
        {
            args.insert(option.dest.to_owned(), value);
        }
    }
    for positional in &parser.positionals {
        args.insert(positional.dest.to_owned(), Value::Null);
    }
    let mut reading = Reading {
        parser,
        options,
        words,
        kinds: Vec::new(),
        args,
        extras: Vec::new(),
        seen: Vec::new(),
        left: &parser.positionals,
    };
    reading.classify()?;
    reading.run()?;
    reading.check_required()?;
    Ok((reading.args, reading.extras))
}

fn initial(option: &Opt) -> Option<Value> {
    match (option.default, option.action) {
        (Default::Absent, _) => None,
        (Default::Text(text), _) => Some(json!(text)),
        (Default::Number(number), _) => Some(json!(number)),
        (Default::List, _) => Some(json!([])),
        (Default::Usual, Action::True) => Some(json!(false)),
        (Default::Usual, Action::False) => Some(json!(true)),
        (Default::Usual, Action::Count) => Some(json!(0)),
        (Default::Usual, Action::Store | Action::Append | Action::Const(_)) => Some(Value::Null),
    }
}

impl Reading<'_> {
    fn classify(&mut self) -> Result<(), Stop> {
        let mut after_dashes = false;
        for at in 0..self.words.len() {
            let kind = if after_dashes { Word::Plain } else { self.classify_word(at)? };
            after_dashes = after_dashes || self.words[at] == "--";
            self.kinds.push(kind);
        }
        Ok(())
    }

    fn classify_word(&self, at: usize) -> Result<Word, Stop> {
        let word = self.words[at].as_str();
        if !word.starts_with('-') || word == "-" || word == "--" {
            return Ok(Word::Plain);
        }
        if let Some(known) = self.exact(word, None) {
            return Ok(Word::Option(known));
        }
        if let Some((flag, _)) = word.split_once('=')
            && let Some(known) = self.exact(flag, Some(flag.len() + 1))
        {
            return Ok(Word::Option(known));
        }
        let mut near = self.near(word);
        if near.len() > 1 {
            let names: Vec<&str> = near.iter().map(|found| flag_of(*found)).collect();
            return Err(Stop::Error(format!("ambiguous option: {word} could match {}", names.join(", "))));
        }
        if let Some(found) = near.pop() {
            return Ok(Word::Option(found));
        }
        if is_negative_number(word) || word.contains(' ') {
            return Ok(Word::Plain);
        }
        Ok(Word::Option(Match::Unknown))
    }

    fn exact(&self, flag: &str, explicit: Option<usize>) -> Option<Match> {
        if flag == "-h" || flag == "--help" {
            return Some(Match::Help);
        }
        self.options.iter().enumerate().find_map(|(option, opt)| {
            let flag = opt.flags.iter().find(|known| **known == flag)?;
            Some(Match::Known { option, flag, explicit })
        })
    }

    /// Every option of which `word` is a prefix (`--admin-state`), or whose short form it opens (`-fjson`).
    fn near(&self, word: &str) -> Vec<Match> {
        let (prefix, explicit) = match word.split_once('=') {
            Some((prefix, _)) if word.starts_with("--") => (prefix, Some(prefix.len() + 1)),
            Some(_) | None => (word, None),
        };
        let short = (!word.starts_with("--")).then(|| word.chars().take(2).collect::<String>());
        let mut found = Vec::new();
        if "--help".starts_with(prefix) && prefix.len() > 2 {
            found.push(Match::Help);
        }
        for (option, opt) in self.options.iter().enumerate() {
            for flag in opt.flags {
                if short.as_deref() == Some(*flag) {
                    found.push(Match::Known { option, flag, explicit: Some(flag.len()) });
                } else if flag.starts_with(prefix) {
                    found.push(Match::Known { option, flag, explicit });
                }
            }
        }
        found
    }

    fn run(&mut self) -> Result<(), Stop> {
        let mut at = 0;
        let last_option = self.kinds.iter().rposition(|kind| matches!(kind, Word::Option(_)));
        while last_option.is_some_and(|last| at <= last) {
            let next_option = (at..self.words.len())
                .find(|&i| matches!(self.kinds[i], Word::Option(_)))
                .unwrap_or(self.words.len());
            if next_option != at {
                let after = self.positionals(at)?;
                if after > at {
                    at = after;
                    continue;
                }
            }
            self.extras.extend(self.words[at..next_option].iter().cloned());
            at = self.option(next_option)?;
        }
        let at = self.positionals(at)?;
        self.extras.extend(self.words[at..].iter().cloned());
        Ok(())
    }

    /// Gives the plain words at `at` to as many positionals as they suffice for; returns where they end.
    fn positionals(&mut self, mut at: usize) -> Result<usize, Stop> {
        let plain = self.kinds[at..].iter().take_while(|kind| **kind == Word::Plain).count();
        let shares = shares(self.left, plain);
        for share in shares {
            let positional = self.left[0];
            self.left = &self.left[1..];
            let mut values = Vec::new();
            for word in self.words[at..at + share].iter().filter(|word| *word != "--") {
                let value = convert(positional.kind, word)
                    .and_then(|value| check_choice(positional.choices, value))
                    .map_err(|reason| Stop::Error(format!("argument {}: {reason}", positional.word())))?;
                values.push(value);
            }
            at += share;
            let value = match positional.count {
                Count::Many => Value::Array(values),
                Count::One | Count::Optional => values.pop().unwrap_or(Value::Null),
            };
            self.args.insert(positional.dest.to_owned(), value);
        }
        Ok(at)
    }

    fn option(&mut self, at: usize) -> Result<usize, Stop> {
        let word = &self.words[at];
        match self.kinds[at] {
            Word::Plain | Word::Option(Match::Unknown) => {
                self.extras.push(word.clone());
                Ok(at + 1)
            }
            Word::Option(Match::Help) => Err(Stop::Help),
            Word::Option(Match::Known { option, flag, explicit }) => {
                let opt = self.options[option];
                let explicit = explicit.map(|from| word[from..].to_owned());
                if !opt.takes_word() {
                    self.flags(option, flag, explicit)?;
                    return Ok(at + 1);
                }
                let (given, end) = match explicit {
                    Some(given) => (given, at + 1),
                    None if self.kinds.get(at + 1) == Some(&Word::Plain) && self.words[at + 1] != "--" => {
                        (self.words[at + 1].clone(), at + 2)
                    }
                    None => {
                        return Err(Stop::Error(format!("argument {}: expected one argument", opt.name())));
                    }
                };
                self.take(option, Some(&given))?;
                Ok(end)
            }
        }
    }

    /// A flag, and the flags written together with it (`-vq`).
    fn flags(&mut self, option: usize, flag: &str, explicit: Option<String>) -> Result<(), Stop> {
        self.take(option, None)?;
        let Some(rest) = explicit else { return Ok(()) };
        let refuse = |me: &Self| {
            Stop::Error(format!("argument {}: ignored explicit argument '{rest}'", me.options[option].name()))
        };
        if flag.starts_with("--") || rest.is_empty() {
            return Err(refuse(self));
        }
        let mut letters = rest.chars();
        let letter: String = letters.next().into_iter().collect();
        match self.exact(&format!("-{letter}"), None) {
            Some(Match::Known { option, flag, .. }) if !self.options[option].takes_word() => {
                let more = letters.as_str();
                self.flags(option, flag, (!more.is_empty()).then(|| more.to_owned()))
            }
            Some(Match::Known { option, .. }) => self.take(option, Some(letters.as_str())),
            Some(Match::Help) => Err(Stop::Help),
            Some(Match::Unknown) | None => Err(refuse(self)),
        }
    }

    fn take(&mut self, option: usize, given: Option<&str>) -> Result<(), Stop> {
        let opt = self.options[option];
        let named = |reason: String| Stop::Error(format!("argument {}: {reason}", opt.name()));
        let value = match given {
            Some(given) => Some(
                convert(opt.kind, given).and_then(|value| check_choice(opt.choices, value)).map_err(named)?,
            ),
            None => None,
        };
        let rival = self
            .seen
            .iter()
            .map(|other| self.options[*other])
            .find(|other| opt.group > 0 && other.group == opt.group && other.flags != opt.flags);
        if let Some(rival) = rival {
            return Err(named(format!("not allowed with argument {}", rival.name())));
        }
        self.seen.push(option);
        let slot = self.args.entry(opt.dest).or_insert(Value::Null);
        match opt.action {
            Action::Store => *slot = value.unwrap_or_default(),
            Action::Append => match slot {
                Value::Array(list) => list.push(value.unwrap_or_default()),
                _ => *slot = Value::Array(vec![value.unwrap_or_default()]),
            },
            Action::True => *slot = json!(true),
            Action::False => *slot = json!(false),
            Action::Const(text) => *slot = json!(text),
            Action::Count => *slot = json!(slot.as_i64().unwrap_or(0) + 1),
        }
        Ok(())
    }

    fn check_required(&self) -> Result<(), Stop> {
        let options = self
            .options
            .iter()
            .enumerate()
            .filter(|(at, opt)| opt.required && !self.seen.contains(at))
            .map(|(_, opt)| opt.name());
        let positionals = self.left.iter().filter(|pos| pos.count != Count::Optional).map(Pos::word);
        debug_assert!(self.left.len() <= self.parser.positionals.len());
        let missing: Vec<String> = options.chain(positionals).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Stop::Error(format!("the following arguments are required: {}", missing.join(", "))))
    }
}

fn flag_of(found: Match) -> &'static str {
    match found {
        Match::Help => "--help",
        Match::Known { flag, .. } => flag,
        Match::Unknown => "",
    }
}

/// How many of `plain` words each positional takes; as many positionals as can be served.
fn shares(left: &[Pos], plain: usize) -> Vec<usize> {
    let need = |pos: &Pos| usize::from(pos.count != Count::Optional);
    let mut served = left.len();
    while served > 0 && left[..served].iter().map(need).sum::<usize>() > plain {
        served -= 1;
    }
    let mut spare = plain.saturating_sub(left[..served].iter().map(need).sum());
    let mut shares = Vec::with_capacity(served);
    for positional in &left[..served] {
        let more = match positional.count {
            Count::One => 0,
            Count::Optional => spare.min(1),
            Count::Many => spare,
        };
        spare -= more;
        shares.push(need(positional) + more);
    }
    shares
}

fn is_negative_number(word: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(body) = word.strip_prefix('-') else { return false };
    match body.split_once('.') {
        Some((whole, fraction)) => digits(whole) && !fraction.is_empty() && digits(fraction),
        None => !body.is_empty() && digits(body),
    }
}

/// Reads one word.
///
/// # Errors
/// Why it is not of that kind.
pub fn convert(kind: Kind, word: &str) -> Result<Value, String> {
    match kind {
        Kind::Text => Ok(json!(word)),
        Kind::Lower => Ok(json!(word.to_lowercase())),
        Kind::Upper => Ok(json!(word.to_uppercase())),
        Kind::Int => word
            .trim()
            .parse::<i64>()
            .map(|n| json!(n))
            .map_err(|_| format!("invalid int value: {}", python::repr_text(word))),
        Kind::Natural => match word.trim().parse::<i64>() {
            Ok(number) if number >= 0 => Ok(json!(number)),
            Ok(number) => Err(format!("input value {number} is negative")),
            Err(_) => Err(format!("invalid int value: {}", python::repr_text(word))),
        },
        Kind::Float => word
            .trim()
            .parse::<f64>()
            .map(|n| json!(n))
            .map_err(|_| format!("invalid float value: {}", python::repr_text(word))),
        Kind::Dict { required, optional } => dict(word, required, optional).map(Value::Object),
    }
}

fn check_choice(choices: &[&str], value: Value) -> Result<Value, String> {
    let text = python::text(&value);
    if choices.is_empty() || choices.contains(&text.as_str()) {
        return Ok(value);
    }
    let numeric = value.is_number();
    let listed: Vec<String> = choices
        .iter()
        .map(|choice| if numeric { (*choice).to_owned() } else { python::repr_text(choice) })
        .collect();
    Err(format!("invalid choice: {} (choose from {})", python::repr(&value), listed.join(", ")))
}

/// Reads `key=value,key=value`; a piece without `=` continues the value before it.
///
/// # Errors
/// Missing values, unknown or missing keys.
pub fn dict(text: &str, required: &[&str], optional: &[&str]) -> Result<Map<String, Value>, String> {
    let mut pieces: Vec<String> = Vec::new();
    for piece in text.split(',').filter(|_| !text.is_empty()) {
        if piece.contains('=') {
            pieces.push(piece.to_owned());
        } else if let Some(last) = pieces.last_mut() {
            last.push(',');
            last.push_str(piece);
        } else {
            return Err(format!("missing value for key '{piece}'"));
        }
    }
    let mut map = Map::new();
    for piece in &pieces {
        let (key, value) = piece.split_once('=').unwrap_or((piece, ""));
        map.insert(key.to_owned(), json!(value));
    }
    let mut valid: Vec<&str> = required.iter().chain(optional).copied().collect();
    valid.sort_unstable();
    let mut invalid: Vec<&str> = map.keys().map(String::as_str).filter(|key| !valid.contains(key)).collect();
    invalid.sort_unstable();
    if !valid.is_empty() && !invalid.is_empty() {
        return Err(format!(
            "Invalid key(s) '{}' specified. Valid key(s): '{}'.",
            invalid.join(", "),
            valid.join(", ")
        ));
    }
    let missing: Vec<&str> = required.iter().copied().filter(|key| !map.contains_key(*key)).collect();
    if !missing.is_empty() {
        return Err(format!("Required key(s) '{}' not specified.", missing.join(", ")));
    }
    Ok(map)
}
