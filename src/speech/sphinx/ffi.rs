//! The dozen functions of libpocketsphinx 0.8 that are used, and a safe decoder around them. The only unsafe code of speech.
#![expect(unsafe_code, reason = "a C library without a kept Rust binding; every call stands in this file")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};

/// Cepstral means that the decoder starts from, and numbers of each frame.
pub const CEPSTRA: usize = 13;
/// Frames asked of the front end at once: it holds back up to 200 ms at the beginning, until it hears a voice.
const FRAMES: usize = 32;

/// The one search that a decoder holds.
const SEARCH: &CStr = c"turn";

#[repr(C)]
struct PsDecoder {
    private: [u8; 0],
}

#[repr(C)]
struct CmdLn {
    private: [u8; 0],
}

#[repr(C)]
struct Fe {
    private: [u8; 0],
}

/// The head of sphinxbase's `feat_t`, up to the structure that holds the cepstral mean.
#[repr(C)]
struct Feat {
    refcount: c_int,
    name: *mut c_char,
    cepsize: i32,
    n_stream: i32,
    stream_len: *mut u32,
    window_size: i32,
    n_sv: i32,
    sv_len: *mut u32,
    subvecs: *mut *mut i32,
    sv_buf: *mut f32,
    sv_dim: i32,
    cmn: c_int,
    varnorm: i32,
    agc: c_int,
    compute_feat: *mut c_void,
    cmn_struct: *mut c_void,
}

#[link(name = "pocketsphinx")]
unsafe extern "C" {
    fn ps_args() -> *const c_void;
    fn ps_init(config: *mut CmdLn) -> *mut PsDecoder;
    fn ps_free(decoder: *mut PsDecoder) -> c_int;
    fn ps_get_fe(decoder: *mut PsDecoder) -> *mut Fe;
    fn ps_get_feat(decoder: *mut PsDecoder) -> *mut Feat;
    fn ps_add_word(decoder: *mut PsDecoder, word: *const c_char, phones: *const c_char, update: c_int) -> c_int;
    fn ps_set_jsgf_string(decoder: *mut PsDecoder, name: *const c_char, jsgf: *const c_char) -> c_int;
    fn ps_set_search(decoder: *mut PsDecoder, name: *const c_char) -> c_int;
    fn ps_start_utt(decoder: *mut PsDecoder) -> c_int;
    fn ps_process_cep(decoder: *mut PsDecoder, frames: *mut *mut f32, count: c_int, no_search: c_int, full_utt: c_int) -> c_int;
    fn ps_end_utt(decoder: *mut PsDecoder) -> c_int;
    fn ps_get_hyp(decoder: *mut PsDecoder, score: *mut i32) -> *const c_char;
}

#[link(name = "sphinxbase")]
unsafe extern "C" {
    fn cmd_ln_parse_r(inout: *mut CmdLn, definition: *const c_void, argc: i32, argv: *mut *mut c_char, strict: i32) -> *mut CmdLn;
    fn cmd_ln_free_r(config: *mut CmdLn) -> c_int;
    fn fe_get_output_size(fe: *mut Fe) -> c_int;
    fn fe_process_frames(
        fe: *mut Fe,
        data: *mut *const i16,
        samples: *mut usize,
        frames: *mut *mut f32,
        count: *mut i32,
        index: *mut i32,
    ) -> c_int;
    fn cmn_live_set(cmn: *mut c_void, mean: *const f32);
    fn err_set_logfp(stream: *mut c_void);
}

/// A decoder: one thread at a time, nothing shared.
pub struct Decoder {
    ptr: NonNull<PsDecoder>,
}

impl Decoder {
    /// Loads the acoustic model of a folder. `settings` are the library's own, as `-name`, value.
    pub fn new(model: &Path, settings: &[(&str, &str)]) -> Option<Decoder> {
        let model = model.to_str()?;
        let pairs = [("-hmm", model)].into_iter().chain(settings.iter().copied());
        let mut words = pairs.flat_map(|(name, value)| [name, value]).map(CString::new).collect::<Result<Vec<_>, _>>().ok()?;
        words.insert(0, c"hotline".into());
        let mut argv: Vec<*mut c_char> = words.iter().map(|word| word.as_ptr().cast_mut()).collect();
        let count = i32::try_from(argv.len()).ok()?;
        // SAFETY: the library copies the words, which outlive the call; it owns what it gives back, which ps_init retains.
        unsafe {
            err_set_logfp(ptr::null_mut());
            let config = cmd_ln_parse_r(ptr::null_mut(), ps_args(), count, argv.as_mut_ptr(), 0);
            if config.is_null() {
                return None;
            }
            let decoder = ps_init(config);
            cmd_ln_free_r(config);
            NonNull::new(decoder).map(|ptr| Decoder { ptr })
        }
    }

    /// Adds a word to the dictionary; a second pronunciation is `word(2)`. False when a phone is not known.
    pub fn add_word(&mut self, word: &str, phones: &str) -> bool {
        let (Ok(word), Ok(phones)) = (CString::new(word), CString::new(phones)) else { return false };
        // SAFETY: the decoder lives as long as self; both texts are copied.
        unsafe { ps_add_word(self.ptr.as_ptr(), word.as_ptr(), phones.as_ptr(), 0) >= 0 }
    }

    /// Listens for a grammar from now on. False when it does not compile or holds unknown words.
    pub fn listen_for_grammar(&mut self, jsgf: &str) -> bool {
        let Ok(jsgf) = CString::new(jsgf) else { return false };
        // SAFETY: as above; a search of the same name is replaced.
        unsafe {
            ps_set_jsgf_string(self.ptr.as_ptr(), SEARCH.as_ptr(), jsgf.as_ptr()) == 0
                && ps_set_search(self.ptr.as_ptr(), SEARCH.as_ptr()) == 0
        }
    }

    /// Begins an utterance from a given cepstral mean.
    pub fn begin(&mut self, mean: &[f32; CEPSTRA]) -> bool {
        // SAFETY: feat_t's head is laid out as above in this version, which build.rs checks; cmn_live_set copies `cepsize` numbers.
        unsafe {
            let feat = ps_get_feat(self.ptr.as_ptr());
            let fe = ps_get_fe(self.ptr.as_ptr());
            if feat.is_null() || (*feat).cmn_struct.is_null() || (*feat).cepsize as usize != CEPSTRA {
                return false;
            }
            if fe.is_null() || fe_get_output_size(fe) as usize != CEPSTRA {
                return false;
            }
            cmn_live_set((*feat).cmn_struct, mean.as_ptr());
            ps_start_utt(self.ptr.as_ptr()) == 0
        }
    }

    /// More sound, 16 kHz. Each frame's cepstra are told as the front end has made them, before their mean is taken off.
    pub fn push(&mut self, pcm: &[i16], mut tell: impl FnMut([f32; CEPSTRA])) {
        let (mut data, mut samples) = (pcm.as_ptr(), pcm.len());
        while samples > 0 {
            let mut rows = [[0.0; CEPSTRA]; FRAMES];
            let mut frames = rows.each_mut().map(|row| row.as_mut_ptr());
            let mut count = FRAMES as i32;
            // SAFETY: `begin` has seen that a frame is CEPSTRA wide; at most FRAMES rows are filled; the samples are read and moved on
            // during the call only, within `samples`.
            let made = unsafe {
                let fe = ps_get_fe(self.ptr.as_ptr());
                fe_process_frames(fe, &mut data, &mut samples, frames.as_mut_ptr(), &mut count, ptr::null_mut())
            };
            if made < 0 || count <= 0 {
                return;
            }
            rows.iter().take(count as usize).for_each(|row| tell(*row));
            // SAFETY: `count` rows are filled; the decoder takes the mean off them in place, and keeps none of the pointers.
            unsafe {
                ps_process_cep(self.ptr.as_ptr(), frames.as_mut_ptr(), count, 0, 0);
            }
        }
    }

    /// Ends the utterance.
    pub fn end(&mut self) {
        // SAFETY: harmless without an utterance.
        unsafe {
            ps_end_utt(self.ptr.as_ptr());
        }
    }

    /// The best words so far and their score.
    pub fn best(&mut self) -> Option<(String, i32)> {
        let mut score = 0;
        // SAFETY: the text is the decoder's and is copied before any other call.
        let text = unsafe {
            let text = ps_get_hyp(self.ptr.as_ptr(), &mut score);
            if text.is_null() { None } else { Some(CStr::from_ptr(text).to_string_lossy().into_owned()) }
        };
        text.map(|text| (text, score))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the only owner gives it back once.
        unsafe {
            ps_free(self.ptr.as_ptr());
        }
    }
}
