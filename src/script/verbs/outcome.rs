//! How programs ended, and what they wrote.

use rhai::Map;

use crate::run::Exit;
use crate::script::value::SharedOutput;
use crate::script::verb::verbs;

/// Bytes as text; what is no UTF-8 is replaced.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

verbs! {
    /// The exit status; 128 and the signal where one ended the program.
    get code(call, exit: Exit) -> i64 {
        let _ = &call;
        Ok(i64::from(exit.code))
    }

    /// The number of the signal that ended the program; nothing where none did.
    get signal(call, exit: Exit) -> Option<i64> {
        let _ = &call;
        Ok(exit.signal.map(i64::from))
    }

    /// Whether the exit status is 0.
    get success(call, exit: Exit) -> bool {
        let _ = &call;
        Ok(exit.code == 0)
    }

    /// Why the program ended: `"exited"` or `"signal"`.
    get cause(call, exit: Exit) -> String {
        let _ = &call;
        Ok(exit.cause.to_string())
    }

    /// What the program used: `wall`, `user` and `system` in seconds, `memory` (its peak) in bytes.
    get usage(call, exit: Exit) -> Map {
        let _ = &call;
        let mut usage = Map::new();
        usage.insert("wall".into(), exit.wall.as_secs_f64().into());
        usage.insert("user".into(), exit.usage.user.as_secs_f64().into());
        usage.insert("system".into(), exit.usage.system.as_secs_f64().into());
        let memory = i64::try_from(exit.usage.peak_memory).unwrap_or(i64::MAX);
        usage.insert("memory".into(), memory.into());
        Ok(usage)
    }

    /// What the program wrote to its standard output.
    get stdout(call, output: SharedOutput) -> String {
        let _ = &call;
        Ok(text(&output.0.stdout))
    }

    /// What the program wrote to its standard error.
    get stderr(call, output: SharedOutput) -> String {
        let _ = &call;
        Ok(text(&output.0.stderr))
    }

    /// The exit status of the program.
    get code(call, output: SharedOutput) -> i64 {
        let _ = &call;
        Ok(i64::from(output.0.exit.code))
    }

    /// How the program ended.
    get exit(call, output: SharedOutput) -> Exit {
        let _ = &call;
        Ok(output.0.exit)
    }
}
