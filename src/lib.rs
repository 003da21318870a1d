//! Linux sandboxes as readable recipes.

pub mod diag;
pub mod host;
pub mod plan;
pub mod run;
pub mod spec;
pub mod sys;
