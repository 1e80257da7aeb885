//! Calls that are wrong in themselves or at their time.

use sim_core::driver_hooks::DevBinary;

use super::host::{BoardHost, Called, Cores, at, object, of};

pub(super) fn teardown(host: &mut BoardHost) -> Called {
    host.begin()?;
    let (idle, busy) = (host.stream()?, host.stream()?);
    let (_, binary) = host.register(&object("aicore", 0))?;
    host.expect_cores(0, "they never end", binary, busy, (0, Cores::Spin))?;
    host.expect_of(507_004, "rtStreamDestroy", "its task runs", &[busy])?;
    host.expect_of(507_004, "rtDeviceReset", "a task runs", &[0])?;
    host.expect_of(207_000, "rtDevBinaryUnRegister", "its cores run", &[binary])?;
    host.expect(0, "rtStreamDestroy", &[idle])?;
    host.expect_of(107_003, "rtStreamDestroy", "twice", &[idle])?;
    host.expect_of(0, "aclrtResetDeviceForce", "ends the task", &[0])?;
    host.mark("after the reset");
    host.expect_of(107_002, "rtStreamSynchronize", "the device is not set", &[busy])?;
    host.expect(0, "aclFinalize", &[])?;
    host.expect_of(100_037, "aclFinalize", "twice", &[])?;
    host.expect_of(100_001, "rtSetDevice", "after aclFinalize", &[0])?;
    let mut place = 0;
    host.expect_of(100_001, "rtMalloc", "after aclFinalize", &[at(&mut place), 64, 1, 0])?;
    Ok(())
}

pub(super) fn bad(host: &mut BoardHost) -> Called {
    let mut place = 0u64;
    host.expect_of(100_001, "aclFinalize", "before aclInit", &[])?;
    host.expect_of(100_001, "rtSetDevice", "before aclInit", &[0])?;
    host.expect_of(100_001, "rtMalloc", "before aclInit", &[at(&mut place), 64, 1, 0])?;
    host.expect(0, "aclInit", &[0])?;
    host.expect_of(100_002, "aclInit", "twice", &[0])?;
    host.expect_of(107_002, "rtStreamCreate", "before rtSetDevice", &[at(&mut place), 0])?;
    host.expect_of(107_001, "rtSetDevice", "device 1", &[1])?;
    host.expect_of(107_001, "rtSetDevice", "device -1", &[u64::from(u32::MAX)])?;
    host.expect(0, "rtSetDevice", &[0])?;
    let stream = host.stream()?;
    host.mark("before the bad calls");
    bad_places(host, stream)?;
    bad_memory(host)?;
    bad_binaries(host, stream)?;
    bad_aicpu(host, stream)?;
    host.mark("after the bad calls");
    // And all of it has changed nothing.
    let (_, binary) = host.register(&object("aicore", 0))?;
    host.expect_cores(0, "a good one", binary, stream, (0, Cores::End))?;
    host.expect(0, "rtStreamSynchronize", &[stream])?;
    Ok(())
}

fn bad_places(host: &mut BoardHost, stream: u64) -> Called {
    host.expect_of(107_000, "rtStreamCreate", "null", &[0, 0])?;
    host.expect_of(107_000, "aclrtGetDevice", "null", &[0])?;
    host.expect_of(107_000, "aclrtGetStreamResLimit", "null", &[stream, 0, 0])?;
    host.expect_of(107_003, "rtStreamSynchronize", "null", &[0])?;
    host.expect_of(107_003, "rtStreamQuery", "no stream", &[stream + 1])?;
    host.expect_of(107_000, "aclrtSynchronizeStreamWithTimeout", "-2 ms", &[stream, u64::from(u32::MAX - 1)])?;
    host.expect_of(107_000, "aclrtSetOpExecuteTimeOutV2", "for ever", &[u64::MAX, 0])?;
    host.expect_of(3, "halGetDeviceInfo", "null", &[0, 1, 8, 0])?;
    let mut value = 0u64;
    host.expect_of(65_534, "halGetDeviceInfo", "what nobody knows", &[0, 1, 77, at(&mut value)])?;
    Ok(())
}

fn bad_memory(host: &mut BoardHost) -> Called {
    let mut block = 0u64;
    let here = 7u64;
    host.expect_of(107_000, "rtMalloc", "null", &[0, 64, 1, 0])?;
    host.expect_of(107_000, "rtMalloc", "0 bytes", &[at(&mut block), 0, 1, 0])?;
    host.expect_of(207_001, "rtMalloc", "more than there is", &[at(&mut block), 1 << 60, 1, 0])?;
    host.expect_of(107_000, "rtFree", "null", &[0])?;
    host.expect_of(0, "rtMalloc", "64 bytes", &[at(&mut block), 64, 1, 0])?;
    host.expect_of(107_000, "rtMemcpy", "from null", &[block, 64, 0, 8, 1])?;
    host.expect_of(107_000, "rtMemcpy", "more than fits", &[block, 4, of(&here), 8, 1])?;
    host.expect_of(107_000, "rtMemcpy", "past the end", &[block + 60, 64, of(&here), 8, 1])?;
    host.expect_of(107_000, "rtMemcpy", "to host memory", &[of(&here), 8, of(&here), 8, 1])?;
    host.expect_of(207_000, "rtMemcpy", "a kind that is not there", &[block, 64, of(&here), 8, 9])?;
    host.expect_of(107_000, "aclrtMemset", "past the end", &[block, 1 << 40, 0, 1 << 40])?;
    host.expect(0, "rtFree", &[block])?;
    host.expect_of(107_000, "rtFree", "twice", &[block])?;
    Ok(())
}

fn bad_binaries(host: &mut BoardHost, stream: u64) -> Called {
    let mut handle = 0u64;
    let bytes = object("aicore", 0);
    let good = DevBinary { magic: DevBinary::MAGIC, version: 0, data: bytes.as_ptr(), length: bytes.len() as u64 };
    let bad = [
        ("no data", DevBinary { data: std::ptr::null(), ..good }),
        ("zero length", DevBinary { length: 0, ..good }),
        ("a length that cannot be", DevBinary { length: u64::MAX, ..good }),
        ("another magic number", DevBinary { magic: 0, ..good }),
        ("half an object", DevBinary { length: good.length / 2, ..good }),
    ];
    host.expect_of(107_000, "rtRegisterAllKernel", "null", &[0, at(&mut handle)])?;
    host.expect_of(107_000, "rtRegisterAllKernel", "no place for the handle", &[of(&good), 0])?;
    for (remark, binary) in bad {
        host.expect_of(107_000, "rtRegisterAllKernel", remark, &[of(&binary), at(&mut handle)])?;
    }
    host.expect_cores(107_017, "no handle", 0, stream, (0, Cores::End))?;
    host.expect_of(107_000, "rtKernelLaunchWithHandleV2", "no arguments", &[0, 0, 1, 0, 0, stream, 0])?;
    host.expect_of(107_017, "rtDevBinaryUnRegister", "a stream", &[stream])?;
    let (_, binary) = host.register(&bytes)?;
    host.expect_cores(107_003, "no stream", binary, 0, (0, Cores::End))?;
    host.expect(0, "rtDevBinaryUnRegister", &[binary])?;
    host.expect_of(107_017, "rtDevBinaryUnRegister", "twice", &[binary])?;
    Ok(())
}

fn bad_aicpu(host: &mut BoardHost, stream: u64) -> Called {
    let mut list = 0u64;
    let nowhere = c"/nowhere/list.json".to_bytes_with_nul();
    let no_list = c"/dev/null".to_bytes_with_nul();
    host.expect_of(107_000, "rtsBinaryLoadFromFile", "null", &[0, 0, at(&mut list)])?;
    host.expect_of(107_009, "rtsBinaryLoadFromFile", "a file that is not there", &[of(nowhere), 0, at(&mut list)])?;
    host.expect_of(107_009, "rtsBinaryLoadFromFile", "an empty file", &[of(no_list), 0, at(&mut list)])?;
    host.expect_of(107_000, "rtsFuncGetByName", "null", &[0, 0, at(&mut list)])?;
    host.expect_of(107_017, "rtsBinaryUnload", "null", &[0])?;
    host.expect_aicpu(107_017, "no function", 0, stream, 0)?;
    host.expect_of(107_000, "rtsLaunchCpuKernel", "no arguments", &[0, 1, stream, 0, 0])?;
    host.expect_of(107_000, "rtAicpuKernelLaunchExWithArgs", "no arguments", &[5, 0, 1, 0, 0, stream, 0])?;
    Ok(())
}
