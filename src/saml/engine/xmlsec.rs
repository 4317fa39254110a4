//! The one place of the program that calls C by hand.
//!
//! xmlsec follows a reference before it checks the signature over it: an anonymous document could make this process
//! open files, fetch addresses and run XSLT. Neither samael nor xmlsec's settings can forbid that for good; its two
//! global lists can, once they hold nothing else. And samael has no call for the canonical form alone.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_uchar, c_uint, c_void},
    ptr, slice,
};

use samael::crypto::{CertificateDer, Crypto, CryptoProvider};

// samael links the libraries; these are declared in xmlsec/errors.h, io.h, list.h and transforms.h, alike in 1.2
// and 1.3.
unsafe extern "C" {
    // libxml2, xmlerror.h. The handler gets what it was set with, and the error.
    fn xmlSetStructuredErrorFunc(
        context: *mut c_void,
        handler: Option<extern "C" fn(*mut c_void, *const c_void)>,
    );
    // libxml2, parser.h, tree.h, c14n.h and xmlIO.h.
    fn xmlReadMemory(
        text: *const c_char,
        size: c_int,
        address: *const c_char,
        encoding: *const c_char,
        options: c_int,
    ) -> *mut c_void;
    fn xmlFreeDoc(document: *mut c_void);
    fn xmlAllocOutputBuffer(encoder: *mut c_void) -> *mut c_void;
    fn xmlOutputBufferGetContent(buffer: *mut c_void) -> *const c_uchar;
    fn xmlOutputBufferGetSize(buffer: *mut c_void) -> usize;
    fn xmlOutputBufferClose(buffer: *mut c_void) -> c_int;
    fn xmlC14NExecute(
        document: *mut c_void,
        is_visible: Option<extern "C" fn(*mut c_void, *mut c_void, *mut c_void) -> c_int>,
        user_data: *mut c_void,
        mode: c_int,
        prefixes: *mut *mut c_uchar,
        with_comments: c_int,
        buffer: *mut c_void,
    ) -> c_int;
    fn xmlSecErrorsDefaultCallbackEnableOutput(enabled: c_int);
    fn xmlSecIOCleanupCallbacks();
    fn xmlSecTransformIdsGet() -> *mut c_void;
    fn xmlSecTransformIdListFindByHref(
        list: *mut c_void,
        href: *const c_char,
        usage: c_uint,
    ) -> *const c_void;
    fn xmlSecPtrListEmpty(list: *mut c_void);
    fn xmlSecTransformIdsRegister(id: *const c_void) -> c_int;
}

/// `xmlSecTransformUsageAny`.
const ANY_USE: c_uint = 0xFFFF;

/// `XML_PARSE_NOERROR`, `XML_PARSE_NOWARNING` and `XML_PARSE_NONET`: no entity is replaced, and nothing is fetched.
const PARSE: c_int = 1 << 5 | 1 << 6 | 1 << 11;
/// `XML_C14N_EXCLUSIVE_1_0`.
const EXCLUSIVE: c_int = 1;

/// All that xmlsec may do.
const ALLOWED: [&CStr; 11] = [
    c"http://www.w3.org/2001/10/xml-exc-c14n#",
    c"http://www.w3.org/2000/09/xmldsig#enveloped-signature",
    c"http://www.w3.org/2001/04/xmlenc#sha256",
    c"http://www.w3.org/2001/04/xmldsig-more#sha384",
    c"http://www.w3.org/2001/04/xmlenc#sha512",
    c"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    c"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    c"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    c"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    c"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
    c"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
];

/// Keeps libxml2 from printing what it finds wrong, with lines of the document, on stderr: in the midst of the log a
/// stranger's line would look like one of ours. The handler belongs to the thread that sets it.
pub(super) fn hush() {
    extern "C" fn ignore(_: *mut c_void, _: *const c_void) {}
    // SAFETY: sets a pointer of this thread's own to a function that lives as long as the program and reads nothing.
    unsafe { xmlSetStructuredErrorFunc(ptr::null_mut(), Some(ignore)) };
}

/// Lets samael start xmlsec, then takes away every way to open something and every transform but ours. False
/// where one of ours is not there. To be called once, before anything else of xmlsec runs on any thread.
pub(super) fn restrict() -> bool {
    // SAFETY: sets a number that decides whether errors are printed; needs no preparation.
    unsafe { xmlSecErrorsDefaultCallbackEnableOutput(0) };
    // samael has no call that only starts the library; this one does that first, and then finds no certificate.
    let _ = Crypto::verify_signed_xml("<a/>", &CertificateDer::from(Vec::new()), None);
    // SAFETY: the library is started and the caller sees to it that nothing else of it runs. The list belongs to
    // the library and lives as long as it; the ids in it are addresses of its constants, so those found before
    // the list is emptied stay good after it. Each string ends in a zero byte and outlives its call.
    unsafe {
        xmlSecIOCleanupCallbacks();
        let list = xmlSecTransformIdsGet();
        if list.is_null() {
            return false;
        }
        let ids = ALLOWED.map(|href| xmlSecTransformIdListFindByHref(list, href.as_ptr(), ANY_USE));
        xmlSecPtrListEmpty(list);
        ids.iter().all(|id| !id.is_null() && xmlSecTransformIdsRegister(*id) == 0)
    }
}

/// The exclusive canonical form of a document (Exclusive XML Canonicalization), with these prefixes kept. The document is
/// to be short: what it costs grows with its elements times the prefixes.
pub(super) fn canonical(text: &str, prefixes: &[String]) -> Option<Vec<u8>> {
    let prefixes: Vec<CString> =
        prefixes.iter().map(|prefix| CString::new(prefix.as_str())).collect::<Result<_, _>>().ok()?;
    let mut list: Vec<*mut c_uchar> =
        prefixes.iter().map(|prefix| prefix.as_ptr().cast_mut().cast()).collect();
    list.push(ptr::null_mut());
    let size = c_int::try_from(text.len()).ok()?;
    // SAFETY: the text and the list, whose last pointer is null, outlive the calls, which read them only. Document and
    // buffer are made here, checked, and freed once each; the content is copied before its buffer is closed.
    unsafe {
        let document = xmlReadMemory(text.as_ptr().cast(), size, ptr::null(), c"UTF-8".as_ptr(), PARSE);
        if document.is_null() {
            return None;
        }
        let buffer = xmlAllocOutputBuffer(ptr::null_mut());
        if buffer.is_null() {
            xmlFreeDoc(document);
            return None;
        }
        let list = list.as_mut_ptr();
        let written = xmlC14NExecute(document, None, ptr::null_mut(), EXCLUSIVE, list, 0, buffer);
        let content = xmlOutputBufferGetContent(buffer);
        let is_done = written >= 0 && !content.is_null();
        let canonical =
            is_done.then(|| slice::from_raw_parts(content, xmlOutputBufferGetSize(buffer)).to_vec());
        xmlOutputBufferClose(buffer);
        xmlFreeDoc(document);
        canonical
    }
}
