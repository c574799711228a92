//! Tokens: a text with one a line, compared so that time tells nothing about them.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::{fmt, io};

use constant_time_eq::constant_time_eq_n;
use rustix::fs::{self, Mode, OFlags};

/// The fewest bytes of a token: fewer could be guessed.
const LEAST: usize = 16;
/// The most bytes of a token.
const MOST: usize = 256;
/// The largest file of tokens that is read.
pub(super) const LARGEST: u64 = 1 << 20;

/// Permissions that a file of tokens must not give: any to others, and writing to its group. A group may read it, which
/// is how root lends a file to a service of another user.
const TOO_OPEN: u32 = 0o027;

/// Some tokens.
pub struct Tokens(Vec<Padded>);

/// Bytes of a token and how many there are: all are compared alike, whatever their length.
type Padded = [u8; MOST + 2];

/// Why a file of tokens is not taken.
#[derive(Debug)]
pub enum TokenFault {
    /// It cannot be read.
    Io(io::Error),
    /// It belongs to another user than ours and root, who could change it.
    OtherOwner,
    /// Others may read it, or change it.
    TooOpen,
    /// It is no file, or larger than 1 MiB.
    NoFile,
    /// It holds no token.
    NoToken,
    /// The token on this line has fewer than 16 bytes, or more than 256.
    WrongLength(usize),
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::OtherOwner => f.write_str("the file belongs to another user, who could change it"),
            Self::TooOpen => f.write_str("others may read or change the file; chmod 600 mends it"),
            Self::NoFile => write!(f, "it is no file, or larger than {LARGEST} bytes"),
            Self::NoToken => f.write_str("it holds no token"),
            Self::WrongLength(line) => write!(f, "line {line}: a token has {LEAST} to {MOST} bytes"),
        }
    }
}

impl std::error::Error for TokenFault {}

impl Tokens {
    /// Reads a file, as [`Tokens::read`] does its text. It blocks.
    ///
    /// # Errors
    /// The file is missing or too open, belongs to somebody else, or has a line that is no token.
    pub fn load(path: &Path) -> Result<Self, TokenFault> {
        Self::read(&text(path)?)
    }

    /// Reads a text: a token of 16 to 256 bytes on each line, without the spaces around it; empty lines, and those that begin
    /// with `#`, are none.
    ///
    /// # Errors
    /// A line is no token, or there is none.
    pub fn read(text: &[u8]) -> Result<Self, TokenFault> {
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"));
        let tokens: Vec<Padded> = lines
            .map(|(at, line)| padded(line).ok_or(TokenFault::WrongLength(at + 1)))
            .collect::<Result<_, _>>()?;
        if tokens.is_empty() { Err(TokenFault::NoToken) } else { Ok(Self(tokens)) }
    }

    /// Whether this is one of them. It takes as long for any token that is presented, right or wrong, long or short.
    pub fn hold(&self, token: &[u8]) -> bool {
        // What has no length of a token is compared with the others, and is none of them.
        let presented = padded(token).unwrap_or([0; MOST + 2]);
        self.0.iter().fold(false, |found, known| found | constant_time_eq_n(known, &presented))
    }
}

/// Says how many there are, and none of them.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

/// What a file holds that nobody else may read or change.
fn text(path: &Path) -> Result<Vec<u8>, TokenFault> {
    // What is asked of is what is read: the path may lead elsewhere in the next moment. A pipe is not waited for.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = fs::open(path, flags, Mode::empty()).map_err(|errno| TokenFault::Io(errno.into()))?;
    let file = File::from(file);
    let said = file.metadata().map_err(TokenFault::Io)?;
    if !said.is_file() || said.len() > LARGEST {
        return Err(TokenFault::NoFile);
    }
    if ![0, rustix::process::geteuid().as_raw()].contains(&said.uid()) {
        return Err(TokenFault::OtherOwner);
    }
    if said.mode() & TOO_OPEN != 0 {
        return Err(TokenFault::TooOpen);
    }
    let mut text = Vec::new();
    // One that grows meanwhile is not cut in the middle of a token.
    let length = file.take(LARGEST + 1).read_to_end(&mut text).map_err(TokenFault::Io)?;
    if u64::try_from(length).is_ok_and(|length| length > LARGEST) {
        return Err(TokenFault::NoFile);
    }
    Ok(text)
}

/// `None` where it is too short or too long for a token.
fn padded(token: &[u8]) -> Option<Padded> {
    let length = u16::try_from(token.len()).ok().filter(|_| (LEAST..=MOST).contains(&token.len()))?;
    let mut padded = [0; MOST + 2];
    let (bytes, end) = padded.split_at_mut(MOST);
    bytes.get_mut(..token.len())?.copy_from_slice(token);
    end.copy_from_slice(&length.to_ne_bytes());
    Some(padded)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_stands_on_each_line_and_what_is_short_long_or_none_is_refused() {
        let long = "x".repeat(MOST);
        let text = format!("# ours\n\n  0123456789abcdef \r\n#0123456789abcdeX\n{long}\nfedcba 9876543210");
        let tokens = Tokens::read(text.as_bytes()).unwrap();
        for token in ["0123456789abcdef", &long, "fedcba 9876543210"] {
            assert!(tokens.hold(token.as_bytes()), "{token}");
        }
        let longer = format!("{long}x");
        for token in ["", "0123456789abcde", "0123456789abcdef\0", "#0123456789abcdeX", &longer, "# ours"] {
            assert!(!tokens.hold(token.as_bytes()), "{token}");
        }
        assert!(!format!("{tokens:?}").contains("0123"));
        for (text, wrong) in [
            ("", "it holds no token"),
            ("# none\n", "it holds no token"),
            ("0123456789abcdef\nshort\n", "line 2: a token has 16 to 256 bytes"),
            (&longer, "line 1: a token has 16 to 256 bytes"),
        ] {
            assert_eq!(Tokens::read(text.as_bytes()).unwrap_err().to_string(), wrong);
        }
    }

    #[test]
    fn a_file_that_others_may_read_or_change_is_refused() {
        let folder = std::env::temp_dir().join(format!("sockeye-tokens-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("tokens");
        let write = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let token = "first-0123456789";
        for (mode, is_taken) in
            [(0o600, true), (0o400, true), (0o640, true), (0o604, false), (0o660, false), (0o601, false)]
        {
            write(token, mode);
            assert_eq!(Tokens::load(&path).is_ok(), is_taken, "{mode:o}");
        }
        write(token, 0o600);
        assert!(Tokens::load(&path).unwrap().hold(token.as_bytes()));
        write("short", 0o600);
        assert!(matches!(Tokens::load(&path), Err(TokenFault::WrongLength(1))));
        write(&"x".repeat(1 << 21), 0o600);
        assert!(matches!(Tokens::load(&path), Err(TokenFault::NoFile)));
        assert!(matches!(Tokens::load(&folder), Err(TokenFault::NoFile)));
        assert!(matches!(Tokens::load(&folder.join("none")), Err(TokenFault::Io(_))));
        fs::remove_dir_all(&folder).unwrap();
    }
}
