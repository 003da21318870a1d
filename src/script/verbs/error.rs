//! What a `catch` can ask an error.

use crate::run::Errno;
use crate::script::error::ScriptError;
use crate::script::verb::verbs;

verbs! {
    /// What is wrong, in one sentence.
    get message(call, error: ScriptError) -> String {
        let _ = &call;
        Ok(error.message())
    }

    /// The kernel's error number; nothing where the kernel was not asked.
    get errno(call, error: ScriptError) -> Option<i64> {
        let _ = &call;
        Ok(error.first().and_then(|report| report.facts.errno).map(i64::from))
    }

    /// The name of that number: `"EPERM"`; nothing where the kernel was not asked.
    get name(call, error: ScriptError) -> Option<String> {
        let _ = &call;
        let errno = error.first().and_then(|report| report.facts.errno);
        Ok(errno.map(|errno| Errno::new(errno).name()))
    }

    /// What was attempted, in one word, such as `"bind"` or `"execute"`.
    get operation(call, error: ScriptError) -> Option<String> {
        let _ = &call;
        Ok(error.first().and_then(|report| report.facts.operation.clone()))
    }

    /// The path on the host that it is about.
    get source(call, error: ScriptError) -> Option<String> {
        let _ = &call;
        Ok(error.first().and_then(|report| report.facts.source.clone()))
    }

    /// The path inside that it is about.
    get target(call, error: ScriptError) -> Option<String> {
        let _ = &call;
        Ok(error.first().and_then(|report| report.facts.target.clone()))
    }

    /// What helps, where that is known.
    get hint(call, error: ScriptError) -> Option<String> {
        let _ = &call;
        Ok(error.first().and_then(|report| report.hints.first().cloned()))
    }

    /// The line that asked for what failed.
    get line(call, error: ScriptError) -> Option<i64> {
        let _ = &call;
        let origin = error.first().and_then(|report| report.origin.clone());
        Ok(origin.map(|origin| i64::from(origin.line)))
    }
}
