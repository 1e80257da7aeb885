//! What do objects of an enclave share with the process, and what do they have to themselves?

use std::ffi::c_int;
use std::io::Write;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::*;
use crate::loader::test_objects::{Language, shared_object};

/// An object in a file.
fn file(language: Language, source: &str, flags: &[&str]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&shared_object(language, source, flags)).unwrap();
    file
}

fn path(file: &NamedTempFile) -> CString {
    CString::new(file.path().as_os_str().as_encoded_bytes()).unwrap()
}

/// An object that is open, and a function of it.
struct Opened(*mut c_void);

impl Opened {
    fn new(enclave: &Enclave, file: &NamedTempFile) -> Self {
        let handle = enclave.open_object(&path(file), libc::RTLD_NOW);
        assert!(!handle.is_null());
        Opened(handle)
    }

    fn call(&self, name: &CStr, argument: usize) -> usize {
        // SAFETY: the object is open.
        let function = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!function.is_null(), "{name:?}");
        // SAFETY: the functions of these tests take and give a word.
        let function: extern "C" fn(usize) -> usize = unsafe { std::mem::transmute(function) };
        function(argument)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: it is closed once, and not used any more.
        unsafe { libc::dlclose(self.0) };
    }
}

const SHARED: &str = "
    #include <ctype.h>
    #include <errno.h>
    #include <pthread.h>
    #include <stdlib.h>
    #include <string.h>
    #include <math.h>
    void *give(size_t size) { return malloc(size); }
    size_t take(void *block) { free(block); return 1; }
    size_t environment(const char *name) { return (size_t)getenv(name); }
    size_t fail(size_t code) { errno = (int)code; return 0; }
    size_t key(size_t unused) { pthread_key_t key; return pthread_key_create(&key, 0) == 0 ? key : -1; }
    size_t letter(size_t c) { return isalpha((int)c) != 0; }
    size_t root(size_t x) { return (size_t)sqrt((double)x); }";

#[test]
fn is_the_c_library_that_of_the_process() {
    let object = file(Language::C, SHARED, &["-fPIC", "-fno-builtin", "-lm"]);
    let enclave = Enclave::open(&[]).unwrap();
    let opened = Opened::new(&enclave, &object);
    // SAFETY: blocks of the same C library; a variable that every test has.
    unsafe {
        libc::free(opened.call(c"give", 100) as *mut c_void);
        opened.call(c"take", libc::malloc(100) as usize);
        let path = c"PATH".as_ptr();
        assert_eq!(opened.call(c"environment", path as usize), libc::getenv(path) as usize);
        opened.call(c"fail", libc::EXDEV as usize);
        assert_eq!(*libc::__errno_location(), libc::EXDEV);
    }
    let mut own: libc::pthread_key_t = 0;
    // SAFETY: a place for the key.
    assert_eq!(unsafe { libc::pthread_key_create(&raw mut own, None) }, 0);
    assert_ne!(opened.call(c"key", 0), own as usize);
    // What the C library has for each thread, every thread of the process has.
    let letter = |opened: &Opened| [opened.call(c"letter", b'x'.into()), opened.call(c"letter", b'7'.into())];
    let address = &raw const opened as usize;
    // SAFETY: the object outlives the thread.
    let elsewhere = std::thread::spawn(move || letter(unsafe { &*(address as *const Opened) })).join().unwrap();
    assert_eq!([letter(&opened), elsewhere], [[1, 0], [1, 0]]);
    assert_eq!(opened.call(c"root", 144), 12);
    drop(opened);
    enclave.close();
}

const UNIQUE: &str = "
    #include <stdexcept>
    #include <string>
    #include <thread>
    inline int number = START;
    inline thread_local std::string text = \"own\";
    extern \"C\" size_t next(size_t) { return number++; }
    extern \"C\" size_t caught(size_t x) {
        size_t result = 0;
        std::thread([&] { try { throw std::runtime_error(text); } catch (const std::exception &error) {
            result = x + std::string(error.what()).size(); } }).join();
        return result;
    }";

#[test]
fn are_unique_symbols_one_in_each_enclave() {
    let objects = [1, 100].map(|start| {
        let start = format!("-DSTART={start}");
        [(); 2].map(|()| file(Language::Cxx, UNIQUE, &["-std=c++17", "-fPIC", "-fgnu-unique", "-pthread", &start]))
    });
    let enclaves = [(); 2].map(|()| Enclave::open(&[]).unwrap());
    assert_ne!(enclaves[0].id(), enclaves[1].id());
    for ((enclave, objects), start) in enclaves.iter().zip(&objects).zip([1, 100]) {
        let [first, second] = objects.each_ref().map(|object| Opened::new(enclave, object));
        let numbers = [&first, &second, &first].map(|opened| opened.call(c"next", 0));
        assert_eq!(numbers, [start, start + 1, start + 2]);
        assert_eq!(first.call(c"caught", 10), 13);
    }
}

#[test]
fn is_what_everybody_shares_found_by_all_objects_of_an_enclave() {
    let context = file(Language::C, "int shared = 1; int get(int x) { return shared += x; }", &["-fPIC"]);
    let user = file(Language::C, "int get(int); int use(int x) { return get(x); }", &["-fPIC"]);
    let enclave = Enclave::open(&[PathBuf::from(context.path())]).unwrap();
    let opened = Opened::new(&enclave, &user);
    assert_eq!([opened.call(c"use", 1), opened.call(c"use", 1)], [2, 3]);
    assert!(enclave.has(&path(&user)) && enclave.has(&path(&context)));
    drop(opened);
    assert!(!enclave.has(&path(&user)));
    enclave.close();
}

#[test]
fn does_a_namespace_come_free() {
    let object = file(Language::Cxx, UNIQUE, &["-std=c++17", "-fPIC", "-fno-gnu-unique", "-pthread", "-DSTART=1"]);
    // Many more than there can be at once.
    for _ in 0..50 {
        let enclave = Enclave::open(&[]).unwrap();
        let opened = Opened::new(&enclave, &object);
        assert_eq!((opened.call(c"next", 0), opened.call(c"caught", 1)), (1, 4));
        drop(opened);
        enclave.close();
    }
}

#[test]
fn what_is_said_of_an_object_that_is_not_there() {
    let error = Enclave::open(&[PathBuf::from("/nowhere/context.so")]).unwrap_err().to_string();
    assert!(error.contains("/nowhere/context.so: cannot open shared object file"), "{error}");
    let enclave = Enclave::open(&[]).unwrap();
    let flags: c_int = libc::RTLD_NOW | libc::RTLD_GLOBAL;
    assert!(enclave.open_object(c"/nowhere/runtime.so", flags).is_null());
    enclave.close();
}
