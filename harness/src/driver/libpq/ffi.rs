//! A thin safe binding over what the harness needs of libpq; the only unsafe
//! code of the repository.
#![allow(
    unsafe_code,
    reason = "libpq is a C library; each block says why it is sound"
)]

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_char},
    io, ptr,
    ptr::NonNull,
    time::Instant,
};

/// A connection in any state. Dropping it says goodbye to the server.
#[derive(Debug)]
pub struct Connection(NonNull<pq_sys::PGconn>);

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
    pub fn start(connection_string: &CStr) -> Option<(Self, Progress)> {
        // SAFETY: the string is NUL-terminated and outlives the call, which
        // copies it.
        let raw = unsafe { pq_sys::PQconnectStart(connection_string.as_ptr()) };
        let connection = Self(NonNull::new(raw)?);
        // SAFETY: the pointer is a live PGconn, ours alone.
        let status = unsafe {
            pq_sys::PQsetErrorVerbosity(raw, pq_sys::PGVerbosity::PQERRORS_VERBOSE);
            pq_sys::PQstatus(raw)
        };
        let progress = match status {
            pq_sys::ConnStatusType::CONNECTION_BAD => Progress::Failed,
            // As if PQconnectPoll had said so (documentation, `PQconnectPoll`).
            _ => Progress::Writing,
        };
        Some((connection, progress))
    }

    /// Takes the next step (`PQconnectPoll`). To be called when the socket is
    /// ready for what the last one waits for.
    pub fn step(&mut self) -> Progress {
        use pq_sys::PostgresPollingStatusType as Polling;
        // SAFETY: the pointer is a live PGconn, ours alone.
        match unsafe { pq_sys::PQconnectPoll(self.0.as_ptr()) } {
            Polling::PGRES_POLLING_READING => Progress::Reading,
            Polling::PGRES_POLLING_WRITING => Progress::Writing,
            Polling::PGRES_POLLING_OK => Progress::Connected,
            _ => Progress::Failed,
        }
    }

    /// Waits for the socket; `false` when the deadline comes first.
    ///
    /// # Errors
    /// poll(2)'s.
    pub fn wait(&self, write: bool, until: Instant) -> io::Result<bool> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let left = i64::try_from(left.as_micros()).unwrap_or(i64::MAX / 2);
            // SAFETY: the pointer is a live PGconn, and its socket is open, or
            // -1, which poll(2) passes over. PQsocketPoll rounds down to
            // milliseconds, so that a last one is added.
            let ready = unsafe {
                let end = pq_sys::PQgetCurrentTimeUSec() + left + 1000;
                pq_sys::PQsocketPoll(
                    pq_sys::PQsocket(self.0.as_ptr()),
                    i32::from(!write),
                    i32::from(write),
                    end,
                )
            };
            match ready {
                1.. => return Ok(true),
                0 => {}
                _ => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The connection's error message (`PQerrorMessage`), verbose.
    pub fn error_message(&self) -> String {
        // SAFETY: the pointer is a live PGconn; the message is its own, is
        // copied here, and is never null for a connection that is not.
        unsafe { text(pq_sys::PQerrorMessage(self.0.as_ptr())) }.unwrap_or_default()
    }

    /// Whether TLS is in use (`PQsslInUse`).
    pub fn tls_in_use(&mut self) -> bool {
        // SAFETY: the pointer is a live PGconn, ours alone.
        unsafe { pq_sys::PQsslInUse(self.0.as_ptr()) != 0 }
    }

    /// Runs one query over an established connection.
    ///
    /// # Errors
    /// poll(2)'s.
    pub fn query(&mut self, query: &CStr, until: Instant) -> io::Result<QueryResult> {
        let connection = self.0.as_ptr();
        // SAFETY: the pointer is a live PGconn, ours alone; the query is
        // NUL-terminated and outlives the call.
        if unsafe { pq_sys::PQsendQuery(connection, query.as_ptr()) } == 0 {
            return Ok(QueryResult::Failed);
        }
        // The connection is blocking for writing, so that the query is sent.
        let mut first = None;
        loop {
            // SAFETY: as above.
            while unsafe { pq_sys::PQisBusy(connection) } != 0 {
                if !self.wait(false, until)? {
                    return Ok(QueryResult::TimedOut);
                }
                // SAFETY: as above.
                if unsafe { pq_sys::PQconsumeInput(connection) } == 0 {
                    return Ok(QueryResult::Failed);
                }
            }
            // SAFETY: as above; not busy, so that it doesn't block.
            let result = unsafe { pq_sys::PQgetResult(connection) };
            let Some(result) = NonNull::new(result).map(ResultSet) else {
                return Ok(first.unwrap_or(QueryResult::Failed));
            };
            first.get_or_insert_with(|| result.read());
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the pointer is a live PGconn, and nothing uses it afterwards.
        unsafe { pq_sys::PQfinish(self.0.as_ptr()) }
    }
}

struct ResultSet(NonNull<pq_sys::PGresult>);

impl ResultSet {
    fn read(&self) -> QueryResult {
        use pq_sys::ExecStatusType as Status;
        let result = self.0.as_ptr();
        // SAFETY: the pointer is a live PGresult.
        match unsafe { pq_sys::PQresultStatus(result) } {
            Status::PGRES_TUPLES_OK | Status::PGRES_COMMAND_OK => {}
            _ => return QueryResult::Failed,
        }
        // SAFETY: as above.
        let (width, height) = unsafe { (pq_sys::PQnfields(result), pq_sys::PQntuples(result)) };
        // SAFETY: the column is within bounds; its name is the result's own and
        // is copied here.
        let name = |column| unsafe { text(pq_sys::PQfname(result, column)) }.unwrap_or_default();
        let value = |row, column| {
            // SAFETY: row and column are within bounds; the value is the
            // result's own and is copied here.
            unsafe {
                match pq_sys::PQgetisnull(result, row, column) {
                    0 => text(pq_sys::PQgetvalue(result, row, column)),
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
        unsafe { pq_sys::PQclear(self.0.as_ptr()) }
    }
}

/// `PQlibVersion`.
pub fn lib_version() -> i32 {
    // SAFETY: it takes and touches nothing.
    unsafe { pq_sys::PQlibVersion() }
}

/// The TLS library that libpq is built with, by its name, if any.
pub fn ssl_library() -> Option<String> {
    // SAFETY: "library" is the one attribute that may be asked of a null
    // connection (libpq documentation, `PQsslAttribute`); the answer is static.
    unsafe { text(pq_sys::PQsslAttribute(ptr::null_mut(), c"library".as_ptr())) }
}

/// `PQconninfoParse`: the parameters that a connection string sets.
///
/// # Errors
/// libpq's message.
pub fn parse(connection_string: &CStr) -> Result<BTreeMap<String, String>, String> {
    let mut message: *mut c_char = ptr::null_mut();
    // SAFETY: the string is NUL-terminated, and `message` is a place to write
    // to; both outlive the call.
    let options = unsafe { pq_sys::PQconninfoParse(connection_string.as_ptr(), &raw mut message) };
    let Some(options) = NonNull::new(options) else {
        // SAFETY: on failure the message is null or allocated by libpq, and
        // ours to free; PQfreemem takes a null.
        let text = unsafe {
            let text = text(message);
            pq_sys::PQfreemem(message.cast());
            text
        };
        return Err(text.unwrap_or_else(|| "out of memory".into()));
    };
    let mut set = BTreeMap::new();
    // SAFETY: the array ends with an entry whose keyword is null; its strings
    // are copied before it is freed, and it is used no more afterwards.
    unsafe {
        let mut option = options.as_ptr();
        while let Some(keyword) = text((*option).keyword) {
            if let Some(value) = text((*option).val) {
                set.insert(keyword, value);
            }
            option = option.add(1);
        }
        pq_sys::PQconninfoFree(options.as_ptr());
    }
    Ok(set)
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
