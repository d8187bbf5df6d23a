//! An error and what caused it.

use std::{error::Error, iter};

/// The text of an error, of its cause, of the cause of that, and so on.
pub(crate) fn causes(error: &dyn Error) -> impl Iterator<Item = String> {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    iter::once(error.to_string()).chain(causes.map(ToString::to_string))
}

/// `error: cause: cause`
pub(crate) fn chain(error: &dyn Error) -> String {
    causes(error).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failed {
        text: &'static str,
        source: Option<Box<Failed>>,
    }

    #[test]
    fn a_cause_is_left_out_of_a_chain() {
        let cause = |text, source| Failed { text, source };
        let error = cause("a", Some(cause("b", Some(cause("b", None).into())).into()));
        assert_eq!(chain(&error), "a: b: b");
    }
}
