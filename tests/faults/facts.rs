//! What was seen of a run in which a call has failed: all that it is judged by.

use serde_json::{Value, json};

use super::fault::Fault;

/// The facts of one fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub fault: Fault,
    /// The arguments of the call; none if the run came to its end without that call.
    pub arguments: Option<String>,
    /// The exit status of nsscript, and what it is if nothing fails.
    pub code: Option<i32>,
    pub usual_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<String>,
    /// What was written to standard error, if it is not what is always written there.
    pub message: String,
    /// What was printed differently.
    pub difference: Vec<String>,
    /// Whether it had to be killed.
    pub is_late: bool,
    /// Processes that were there after it.
    pub processes: Vec<String>,
    /// Files that it has left outside of the store.
    pub files: Vec<String>,
    /// What is half made in the store after the next run.
    pub half_made: Vec<String>,
    /// What has changed on the host.
    pub host: Vec<String>,
    /// How the next run, in which nothing fails, differs from what it should be.
    pub next: String,
    /// How long all of it took, in milliseconds.
    pub time: u64,
}

impl Facts {
    pub fn to_json(&self) -> Value {
        json!({
            "fault": self.fault.to_string(),
            "arguments": self.arguments,
            "code": self.code,
            "usual_code": self.usual_code,
            "signal": self.signal,
            "message": self.message,
            "difference": self.difference,
            "is_late": self.is_late,
            "processes": self.processes,
            "files": self.files,
            "half_made": self.half_made,
            "host": self.host,
            "next": self.next,
            "time": self.time,
        })
    }

    pub fn from_json(value: &Value) -> Option<Self> {
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let number = |key: &str| value[key].as_i64().and_then(|number| i32::try_from(number).ok());
        let list = |key: &str| -> Option<Vec<String>> {
            value[key].as_array()?.iter().map(|it| it.as_str().map(str::to_owned)).collect()
        };
        Some(Self {
            fault: value["fault"].as_str()?.parse().ok()?,
            arguments: text("arguments"),
            code: number("code"),
            usual_code: number("usual_code"),
            signal: text("signal"),
            message: text("message")?,
            difference: list("difference")?,
            is_late: value["is_late"].as_bool()?,
            processes: list("processes")?,
            files: list("files")?,
            half_made: list("half_made")?,
            host: list("host")?,
            next: text("next")?,
            time: value["time"].as_u64()?,
        })
    }
}
