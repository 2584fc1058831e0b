//! The answers of the script in [`super::script`], one for each question.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::reads::Seen;
use crate::remote::Output;

/// What one question came to.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The API's status; a command's exit code, or 200 for its 0.
    pub code: String,
    /// The JSON values, those of a list one by one.
    pub rows: Vec<Json>,
    /// Whatever is not JSON: words of curl or docker.
    pub words: String,
}

/// All answers, by question; where one was asked twice (curl, then the command) the later counts.
#[derive(Debug, Default)]
pub(super) struct Answers {
    by_path: HashMap<String, Answer>,
    /// Where the `docker` command really is.
    pub binary: String,
    /// Whether the script came to its end in order.
    pub whole: bool,
    /// What else it said.
    errors: String,
}

impl Answers {
    pub(super) fn read(output: &Output) -> Self {
        let mut answers = Self { whole: output.ok(), errors: output.errors(), ..Self::default() };
        let mut answer = Answer::default();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            match line.strip_prefix("@skep ").and_then(|end| end.split_once(' ')) {
                Some((code, path)) => answers.end(std::mem::take(&mut answer), code, path),
                None => answer.line(line),
            }
        }
        answers
    }

    fn end(&mut self, mut answer: Answer, code: &str, path: &str) {
        let path = path.strip_prefix("http://d").unwrap_or(path);
        match path.strip_prefix("binary:") {
            Some(binary) => self.binary = binary.into(),
            None => {
                answer.code = code.into();
                let list = path.split_once("?all=1").or_else(|| path.split_once("?filters="));
                self.by_path.insert(list.map_or(path, |(list, _)| list).into(), answer);
            }
        }
    }

    /// The answer to a question.
    pub(super) fn get(&self, path: &str) -> Option<&Answer> {
        self.by_path.get(path)
    }

    /// The rows of a list that was read whole, or why it was not.
    pub(super) fn list(&self, path: &str) -> Result<&[Json], String> {
        match self.get(path) {
            Some(answer) if answer.code == "200" => Ok(&answer.rows),
            Some(answer) => Err(answer.why()),
            None if self.errors.is_empty() => Err("the host gave no answer".into()),
            None => Err(self.errors.clone()),
        }
    }

    /// The same, each row understood as a `T`.
    pub(super) fn rows<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, String> {
        let rows = self.list(path)?.iter().map(|row| serde_json::from_value(row.clone()));
        rows.collect::<Result<_, _>>().map_err(|why| format!("{path} was not understood: {why}"))
    }

    /// An object that was asked for by name: what `wanted` accepts among the answer's rows; absent only if the `list` it
    /// would be in was read whole and has none that is `listed`.
    pub(super) fn object<'a>(
        &'a self,
        path: &str,
        wanted: impl Fn(&Json) -> bool,
        list: &str,
        listed: impl Fn(&Json) -> bool,
    ) -> Seen<&'a Json> {
        // Asked for by itself, or with all others of its kind.
        let answer = self.get(path).or_else(|| self.get(&format!("{list}#")));
        if let Some(found) = answer.and_then(|answer| answer.rows.iter().find(|row| wanted(row))) {
            return Seen::Is(found);
        }
        match self.list(list) {
            Ok(rows) if !rows.iter().any(listed) => Seen::Absent,
            Ok(_) => Seen::Unread(answer.map_or_else(|| "the host gave no answer".into(), Answer::why)),
            Err(why) => Seen::Unread(why),
        }
    }
}

impl Answer {
    fn line(&mut self, line: &str) {
        match serde_json::from_str(line) {
            Ok(Json::Array(rows)) if rows.iter().all(Json::is_object) => self.rows.extend(rows),
            Ok(row @ (Json::Object(_) | Json::Array(_))) => self.rows.push(row),
            Ok(Json::Null) => {}
            _ if line.trim().is_empty() => {}
            _ => self.words = format!("{}{}{line}", self.words, if self.words.is_empty() { "" } else { "\n" }),
        }
    }

    /// Why there is nothing better: the engine's message, or the command's words.
    pub(super) fn why(&self) -> String {
        let message = self.rows.iter().find_map(|row| row.get("message")).and_then(Json::as_str);
        match (message, self.words.as_str()) {
            (Some(message), _) => message.into(),
            (None, "") => format!("the engine answered {}", self.code),
            (None, words) => words.into(),
        }
    }
}
