# Read by the scripts beside it: builds the archive for the target in "$1", for this machine where there
# is none, and says which tools belong to it. Their caller stands in the project's root.
target=${1:-}
tools='' machine=() emulation=()
case $target in
    '') ;;
    thumbv7em-none-eabihf)
        tools=arm-none-eabi- machine=(-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16) ;;
    riscv32imac-unknown-none-elf)
        tools=riscv64-unknown-elf- machine=(-march=rv32imac_zicsr -mabi=ilp32)
        emulation=(-m elf32lriscv) ;;
    *) echo "$0: no target $target" >&2; exit 2 ;;
esac

# build FEATURE: leaves the archive at $archive
build() {
    local built=${CARGO_TARGET_DIR:-$PWD/target} options=()
    if [ -n "$target" ]; then
        tests/firmware/toolchain/set-up "$target"
        # That rustc keeps what it builds apart: another compiler's libraries do not go with its own.
        built=$built/firmware/cargo options=(--target "$target")
        # What nobody chose otherwise is as the images of `image` have it.
        export RUSTFLAGS=${RUSTFLAGS-'--cfg sha2_backend="soft" --cfg sha2_backend_soft="compact"'}
        export RUSTC=$PWD/target/firmware-toolchain/bin/rustc CARGO_TARGET_DIR=$built
    fi
    cargo rustc -p gateward-shim --profile firmware --features "$1" --crate-type staticlib --quiet \
        ${options[@]+"${options[@]}"}
    archive=$built/${target:+$target/}firmware/libgateward.a
}
