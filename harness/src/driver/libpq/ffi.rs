//! A thin safe binding over what the harness needs of libpq; the only unsafe
//! code of the repository.
//!
//! The functions are those of the libpq that is built into this program, or of
//! a shared one. All that are named here are in libpq since PostgreSQL 9.5, so
//! that every supported version has them.
#![allow(
    unsafe_code,
    reason = "libpq is a C library; each block says why it is sound"
)]

use std::{
    collections::BTreeMap,
    error::Error as _,
    ffi::{CStr, CString, OsStr, c_char, c_int, c_void},
    io,
    os::{fd::BorrowedFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
    ptr,
    ptr::NonNull,
    sync::LazyLock,
    time::Instant,
};

use libloading::os::unix::{Library as Shared, RTLD_LOCAL, RTLD_NOW};
use nix::{
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use pq_sys::{PGconn, PGresult, PQconninfoOption};

/// Declares libpq's functions once: as they are linked, and as they are looked
/// up. Enumerations are integers here, since another version of libpq may
/// return values that this one's don't have.
macro_rules! functions {
    ($($name:ident($($type:ty),*) $(-> $result:ty)?;)*) => {
        #[allow(non_snake_case, reason = "libpq's own names")]
        struct Functions {
            $($name: unsafe extern "C" fn($($type),*) $(-> $result)?,)*
        }

        mod bundled {
            use super::{PGconn, PGresult, PQconninfoOption, c_char, c_int, c_void};

            unsafe extern "C" {
                $(pub fn $name($(_: $type),*) $(-> $result)?;)*
            }
        }

        impl Functions {
            fn bundled() -> Self {
                Self { $($name: bundled::$name,)* }
            }

            /// # Safety
            /// What the library has by these names are libpq's functions.
            unsafe fn of(library: &Shared) -> Result<Self, LoadError> {
                Ok(Self {
                    // SAFETY: the caller's promise; libpq keeps the types of its
                    // functions for as long as its soname is libpq.so.5.
                    $($name: unsafe {
                        *library.get(concat!(stringify!($name), "\0").as_bytes())
                            .map_err(|_| LoadError::NoLibpq(stringify!($name)))?
                    },)*
                })
            }
        }
    };
}

functions! {
    PQclear(*mut PGresult);
    PQconnectPoll(*mut PGconn) -> c_int;
    PQconnectStart(*const c_char) -> *mut PGconn;
    PQconninfoFree(*mut PQconninfoOption);
    PQconninfoParse(*const c_char, *mut *mut c_char) -> *mut PQconninfoOption;
    PQconsumeInput(*mut PGconn) -> c_int;
    PQerrorMessage(*const PGconn) -> *mut c_char;
    PQfinish(*mut PGconn);
    PQfname(*const PGresult, c_int) -> *mut c_char;
    PQfreemem(*mut c_void);
    PQgetResult(*mut PGconn) -> *mut PGresult;
    PQgetisnull(*const PGresult, c_int, c_int) -> c_int;
    PQgetvalue(*const PGresult, c_int, c_int) -> *mut c_char;
    PQisBusy(*mut PGconn) -> c_int;
    PQlibVersion() -> c_int;
    PQnfields(*const PGresult) -> c_int;
    PQntuples(*const PGresult) -> c_int;
    PQresultStatus(*const PGresult) -> c_int;
    PQsendQuery(*mut PGconn, *const c_char) -> c_int;
    PQsetErrorVerbosity(*mut PGconn, c_int) -> c_int;
    PQsocket(*const PGconn) -> c_int;
    PQsslInUse(*mut PGconn) -> c_int;
    PQstatus(*const PGconn) -> c_int;
}

// libpq-fe.h: ConnStatusType, PostgresPollingStatusType, ExecStatusType and
// PGVerbosity, to which values are only ever added at the end.
const CONNECTION_BAD: c_int = 1;
const PGRES_POLLING_READING: c_int = 1;
const PGRES_POLLING_WRITING: c_int = 2;
const PGRES_POLLING_OK: c_int = 3;
const PGRES_COMMAND_OK: c_int = 1;
const PGRES_TUPLES_OK: c_int = 2;
const PQERRORS_VERBOSE: c_int = 2;

/// `OPENSSL_INIT_NO_ATEXIT` (openssl/crypto.h); an OpenSSL that has no such option
/// passes over it.
const OPENSSL_INIT_NO_ATEXIT: u64 = 0x0008_0000;
/// `OPENSSL_VERSION` (openssl/crypto.h).
const OPENSSL_VERSION: c_int = 0;

/// A libpq in this process. It is never unloaded.
pub struct Library {
    functions: Functions,
    file: Option<PathBuf>,
    tls: Option<String>,
}

/// Why a shared libpq can't be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The loader's reason.
    #[error("{0}")]
    Loader(String),
    /// It lacks a function.
    #[error("it has no {0}")]
    NoLibpq(&'static str),
}

impl Library {
    /// The one that is built into this program.
    pub fn bundled() -> &'static Self {
        static BUNDLED: LazyLock<Library> = LazyLock::new(|| Library {
            functions: Functions::bundled(),
            file: None,
            tls: Some(openssl::version::version().into()),
        });
        &BUNDLED
    }

    /// Loads a shared libpq: a file, or a name that the system's loader finds.
    ///
    /// # Errors
    /// When it can't be loaded, or is no libpq.
    pub fn load(name: &Path) -> Result<&'static Self, LoadError> {
        // SAFETY: this runs the library's initialisers, and those of libraries
        // that it needs. A person names the file, or the system has installed
        // it: it is trusted as a program in PATH is.
        let shared = unsafe { Shared::open(Some(name), RTLD_NOW | RTLD_LOCAL | OWN_FIRST) }
            .map_err(|error| {
                // dlopen(3)'s own words are the source of libloading's.
                let words = error
                    .source()
                    .map_or_else(|| error.to_string(), ToString::to_string);
                LoadError::Loader(words)
            })?;
        // SAFETY: the types are those of the functions of these names in every
        // libpq.so.5.
        let functions = unsafe { Functions::of(&shared)? };
        let library = Self {
            tls: tls_library(&shared),
            file: file_of(functions.PQlibVersion as *const c_void),
            functions,
        };
        // It stays for as long as the process, and so do its functions.
        std::mem::forget(shared);
        Ok(Box::leak(Box::new(library)))
    }

    /// The file that it was loaded from; none for the bundled one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The TLS library that it uses, with its version, where that can be found.
    pub fn tls(&self) -> Option<&str> {
        self.tls.as_deref()
    }

    /// `PQlibVersion`.
    pub fn version_number(&self) -> i32 {
        // SAFETY: it takes and touches nothing.
        unsafe { (self.functions.PQlibVersion)() }
    }

    /// `PQconninfoParse`: the parameters that a connection string sets.
    ///
    /// # Errors
    /// libpq's message.
    pub fn parse(&self, connection_string: &CStr) -> Result<BTreeMap<String, String>, String> {
        let mut message: *mut c_char = ptr::null_mut();
        // SAFETY: the string is NUL-terminated, and `message` is a place to
        // write to; both outlive the call.
        let options = unsafe {
            (self.functions.PQconninfoParse)(connection_string.as_ptr(), &raw mut message)
        };
        let Some(options) = NonNull::new(options) else {
            // SAFETY: on failure the message is null or allocated by libpq, and
            // ours to free; PQfreemem takes a null.
            let text = unsafe {
                let text = text(message);
                (self.functions.PQfreemem)(message.cast());
                text
            };
            return Err(text.unwrap_or_else(|| "out of memory".into()));
        };
        let mut set = BTreeMap::new();
        // SAFETY: the array ends with an entry whose keyword is null; its
        // strings are copied before it is freed, and it is used no more
        // afterwards.
        unsafe {
            let mut option = options.as_ptr();
            while let Some(keyword) = text((*option).keyword) {
                if let Some(value) = text((*option).val) {
                    set.insert(keyword, value);
                }
                option = option.add(1);
            }
            (self.functions.PQconninfoFree)(options.as_ptr());
        }
        Ok(set)
    }
}

/// Has a library find its symbols in the libraries that it needs before those of
/// this program, which has an OpenSSL of its own (dlopen(3), `RTLD_DEEPBIND`).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_FIRST: c_int = libc::RTLD_DEEPBIND;
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const OWN_FIRST: c_int = 0;

/// The version of the OpenSSL that a libpq needs, which is looked for in what it
/// was loaded with (dlsym(3)).
///
/// As a worker does for its own OpenSSL, this keeps it from registering its exit
/// handler, which would pull it from under the attempts in flight.
fn tls_library(shared: &Shared) -> Option<String> {
    type Init = unsafe extern "C" fn(u64, *const c_void) -> c_int;
    type Version = unsafe extern "C" fn(c_int) -> *const c_char;
    // SAFETY: these are their types since OpenSSL 1.1.0, which brought both;
    // the settings may be null, and the answer is static.
    unsafe {
        if let Ok(init) = shared.get::<Init>(b"OPENSSL_init_crypto\0") {
            init(OPENSSL_INIT_NO_ATEXIT, ptr::null());
        }
        let version = shared.get::<Version>(b"OpenSSL_version\0").ok()?;
        text(version(OPENSSL_VERSION))
    }
}

/// The file that a function was loaded from.
fn file_of(function: *const c_void) -> Option<PathBuf> {
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: dladdr(3) takes any address, and fills what it is given; all
    // zeroes is a Dl_info too. The name belongs to the loader, which keeps it as
    // long as the library, and is copied here.
    unsafe {
        libc::dladdr(function, found.as_mut_ptr());
        let name = found.assume_init().dli_fname;
        if name.is_null() {
            return None;
        }
        let name = OsStr::from_bytes(CStr::from_ptr(name).to_bytes());
        Some(PathBuf::from(name))
    }
}

/// A connection in any state. Dropping it says goodbye to the server.
pub struct Connection {
    raw: NonNull<PGconn>,
    functions: &'static Functions,
}

// SAFETY: a PGconn may be used from any thread, though from one at a time
// (libpq documentation, 32.22), and `Connection` is neither `Sync` nor `Clone`.
unsafe impl Send for Connection {}

/// What a connection that is being made waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// Its socket to be readable.
    Reading,
    /// Its socket to be writable.
    Writing,
    /// Nothing: the session stands.
    Connected,
    /// Nothing: there will be no session.
    Failed,
}

/// The result of a query.
#[derive(Debug, Eq, PartialEq)]
pub enum QueryResult {
    /// Its rows, values as text.
    Rows {
        /// The columns' names.
        columns: Vec<String>,
        /// NULL is absent.
        rows: Vec<Vec<Option<String>>>,
    },
    /// An error; its message is the connection's.
    Failed,
    /// The deadline passed.
    TimedOut,
}

impl Connection {
    /// Starts to connect (`PQconnectStart`), and asks for messages that hold
    /// the SQLSTATE. What is wrong with the string shows as
    /// [`Progress::Failed`]. `None` when memory is short.
    pub fn start(library: &'static Library, string: &CStr) -> Option<(Self, Progress)> {
        let functions = &library.functions;
        // SAFETY: the string is NUL-terminated and outlives the call, which
        // copies it.
        let raw = unsafe { (functions.PQconnectStart)(string.as_ptr()) };
        let connection = Self {
            raw: NonNull::new(raw)?,
            functions,
        };
        // SAFETY: the pointer is a live PGconn, ours alone.
        let status = unsafe {
            (functions.PQsetErrorVerbosity)(raw, PQERRORS_VERBOSE);
            (functions.PQstatus)(raw)
        };
        let progress = match status {
            CONNECTION_BAD => Progress::Failed,
            // As if PQconnectPoll had said so (documentation, `PQconnectPoll`).
            _ => Progress::Writing,
        };
        Some((connection, progress))
    }

    /// Takes the next step (`PQconnectPoll`). To be called when the socket is
    /// ready for what the last one waits for.
    pub fn step(&mut self) -> Progress {
        // SAFETY: the pointer is a live PGconn, ours alone.
        match unsafe { (self.functions.PQconnectPoll)(self.raw.as_ptr()) } {
            PGRES_POLLING_READING => Progress::Reading,
            PGRES_POLLING_WRITING => Progress::Writing,
            PGRES_POLLING_OK => Progress::Connected,
            _ => Progress::Failed,
        }
    }

    /// Waits for the socket; `false` when the deadline comes first.
    ///
    /// # Errors
    /// poll(2)'s, and when there is no socket.
    pub fn wait(&self, write: bool, until: Instant) -> io::Result<bool> {
        // SAFETY: the pointer is a live PGconn.
        let socket = unsafe { (self.functions.PQsocket)(self.raw.as_ptr()) };
        if socket < 0 {
            return Err(io::Error::other("libpq has none open"));
        }
        // SAFETY: the socket is open, and libpq closes it in calls on the
        // connection alone, of which there are none while this one is borrowed.
        let socket = unsafe { BorrowedFd::borrow_raw(socket) };
        let event = if write {
            PollFlags::POLLOUT
        } else {
            PollFlags::POLLIN
        };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            // Rounded up, so that the last millisecond is waited for too.
            let left = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(socket, event)], left) {
                Ok(1..) => return Ok(true),
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The connection's error message (`PQerrorMessage`), verbose.
    pub fn error_message(&self) -> String {
        // SAFETY: the pointer is a live PGconn; the message is its own, is
        // copied here, and is never null for a connection that is not.
        unsafe { text((self.functions.PQerrorMessage)(self.raw.as_ptr())) }.unwrap_or_default()
    }

    /// Whether TLS is in use (`PQsslInUse`).
    pub fn tls_in_use(&mut self) -> bool {
        // SAFETY: the pointer is a live PGconn, ours alone.
        unsafe { (self.functions.PQsslInUse)(self.raw.as_ptr()) != 0 }
    }

    /// Runs one query over an established connection.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub fn query(&mut self, query: &CStr, until: Instant) -> io::Result<QueryResult> {
        let connection = self.raw.as_ptr();
        // SAFETY: the pointer is a live PGconn, ours alone; the query is
        // NUL-terminated and outlives the call.
        if unsafe { (self.functions.PQsendQuery)(connection, query.as_ptr()) } == 0 {
            return Ok(QueryResult::Failed);
        }
        // The connection is blocking for writing, so that the query is sent.
        let mut first = None;
        loop {
            // SAFETY: as above.
            while unsafe { (self.functions.PQisBusy)(connection) } != 0 {
                if !self.wait(false, until)? {
                    return Ok(QueryResult::TimedOut);
                }
                // SAFETY: as above.
                if unsafe { (self.functions.PQconsumeInput)(connection) } == 0 {
                    return Ok(QueryResult::Failed);
                }
            }
            // SAFETY: as above; not busy, so that it doesn't block.
            let result = unsafe { (self.functions.PQgetResult)(connection) };
            let Some(raw) = NonNull::new(result) else {
                return Ok(first.unwrap_or(QueryResult::Failed));
            };
            let result = ResultSet {
                raw,
                functions: self.functions,
            };
            first.get_or_insert_with(|| result.read());
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the pointer is a live PGconn, and nothing uses it afterwards.
        unsafe { (self.functions.PQfinish)(self.raw.as_ptr()) }
    }
}

struct ResultSet {
    raw: NonNull<PGresult>,
    functions: &'static Functions,
}

impl ResultSet {
    fn read(&self) -> QueryResult {
        let (result, functions) = (self.raw.as_ptr(), self.functions);
        // SAFETY: the pointer is a live PGresult.
        match unsafe { (functions.PQresultStatus)(result) } {
            PGRES_TUPLES_OK | PGRES_COMMAND_OK => {}
            _ => return QueryResult::Failed,
        }
        // SAFETY: as above.
        let (width, height) =
            unsafe { ((functions.PQnfields)(result), (functions.PQntuples)(result)) };
        // SAFETY: the column is within bounds; its name is the result's own and
        // is copied here.
        let name =
            |column| unsafe { text((functions.PQfname)(result, column)) }.unwrap_or_default();
        let value = |row, column| {
            // SAFETY: row and column are within bounds; the value is the
            // result's own and is copied here.
            unsafe {
                match (functions.PQgetisnull)(result, row, column) {
                    0 => text((functions.PQgetvalue)(result, row, column)),
                    _ => None,
                }
            }
        };
        QueryResult::Rows {
            columns: (0..width).map(name).collect(),
            rows: (0..height)
                .map(|row| (0..width).map(|column| value(row, column)).collect())
                .collect(),
        }
    }
}

impl Drop for ResultSet {
    fn drop(&mut self) {
        // SAFETY: the pointer is a live PGresult, and nothing uses it
        // afterwards.
        unsafe { (self.functions.PQclear)(self.raw.as_ptr()) }
    }
}

/// Copies a C string; a null is none.
///
/// # Safety
/// The pointer is null, or points to a NUL-terminated string.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let string = unsafe { CStr::from_ptr(pointer) };
    Some(CString::from(string).into_string().unwrap_or_else(|bad| {
        // A server may send a message in any encoding before it knows ours.
        String::from_utf8_lossy(bad.into_cstring().as_bytes()).into_owned()
    }))
}
