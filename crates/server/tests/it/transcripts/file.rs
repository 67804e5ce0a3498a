//! Reads a transcript: requests with the answers that the reference gave.

use std::path::Path;

/// One request and its recorded answer.
pub struct Step {
    /// The line of the file it starts at.
    pub line: usize,
    /// Its number and title.
    pub title: String,
    /// Names given to what is random in the answer.
    pub names: Vec<String>,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub status: u16,
    pub answer_headers: Vec<(String, String)>,
    pub answer: String,
}

impl Step {
    /// How `docs/differences.md` calls a request: method, path, body.
    pub fn key(&self) -> String {
        format!("{} {} {}", self.method, self.path, self.body).trim().to_string()
    }

    /// The recorded identity, to tell requests apart in reports.
    pub fn user(&self) -> &str {
        self.headers
            .iter()
            .find(|(k, _)| k == "X-User-Id")
            .map_or("nobody", |(_, v)| v.trim_end_matches("-user"))
    }
}

/// All steps of a transcript.
pub fn read(path: &Path) -> Vec<Step> {
    let text = std::fs::read_to_string(path).expect("a transcript is readable");
    let mut steps = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let Some(title) = line.strip_prefix("### ") else {
            assert!(line.is_empty(), "{}:{}: not the start of a request: {line}", path.display(), number + 1);
            continue;
        };
        let mut block = Vec::new();
        while let Some((_, line)) = lines.next_if(|(_, l)| !l.starts_with("### ")) {
            block.push(line);
        }
        steps.push(step(number + 1, title, &block));
    }
    steps
}

fn step(line: usize, title: &str, block: &[&str]) -> Step {
    let mut rest = block.iter().copied();
    let mut first = rest.next().expect("a request line");
    let mut names = Vec::new();
    if let Some(list) = first.strip_prefix("# as: ") {
        names = list.split(' ').map(String::from).collect();
        first = rest.next().expect("a request line");
    }
    let (method, path) = first.split_once(' ').expect("method and path");
    let headers = headers(&mut rest);
    let mut body = Vec::new();
    let status = loop {
        let line = rest.next().expect("an answer");
        match line.strip_prefix("HTTP ") {
            Some(status) => break status.parse().expect("a status"),
            None => body.push(line),
        }
    };
    let answer_headers = self::headers(&mut rest);
    let answer: Vec<_> = rest.collect();
    Step {
        line,
        title: title.to_string(),
        names,
        method: method.to_string(),
        path: path.to_string(),
        headers,
        body: body.join("\n").trim_end_matches('\n').to_string(),
        status,
        answer_headers,
        answer: answer.join("\n").trim_end().to_string(),
    }
}

fn headers<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    lines
        .take_while(|l| !l.is_empty())
        .map(|l| l.split_once(": ").expect("a header"))
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect()
}
