//! Passwords, kept out of what a worker says.

use secrecy::{ExposeSecret as _, SecretString};

use crate::driver::connection_string::{percent_encoded, quoted};

/// A secret shorter than this, in bytes, is not looked for: it would blank out
/// ordinary words.
const SHORTEST: usize = 6;

/// The passwords that a worker has been given, in every spelling in which the
/// harness or a built-in driver writes them.
#[derive(Debug, Default)]
pub struct Secrets(Vec<SecretString>);

impl Secrets {
    /// Adds a password.
    pub fn learn(&mut self, secret: &SecretString) {
        let plain = secret.expose_secret();
        if plain.len() < SHORTEST || self.knows(plain) {
            return;
        }
        let json = serde_json::Value::from(plain).to_string();
        let spellings = [
            plain.to_owned(),
            json[1..json.len() - 1].to_owned(),
            quoted(plain),
            percent_encoded(plain),
        ];
        for spelling in spellings {
            if !self.knows(&spelling) {
                self.0.push(spelling.into());
            }
        }
    }

    /// The text with `[password]` for each of them.
    pub fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            text.replace(secret.expose_secret(), "[password]")
        })
    }

    fn knows(&self, spelling: &str) -> bool {
        self.0.iter().any(|known| known.expose_secret() == spelling)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("se'same \"street", "se'same \"street")]
    #[case::json("se'same \"street", "se'same \\\"street")]
    #[case::key_value("se'same \"street", "se\\'same \"street")]
    #[case::uri("se'same \"street", "se%27same%20%22street")]
    fn every_spelling_is_blanked(#[case] secret: &str, #[case] spelling: &str) {
        let mut secrets = Secrets::default();
        secrets.learn(&secret.to_owned().into());
        let text = format!("password={spelling}!");
        assert_eq!(secrets.redact(&text), "password=[password]!");
    }

    #[test]
    fn a_word_is_left_alone() {
        let mut secrets = Secrets::default();
        secrets.learn(&"pass".to_owned().into());
        assert_eq!(secrets.redact("password"), "password");
    }
}
