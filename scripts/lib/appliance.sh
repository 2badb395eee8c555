# What the scripts of the appliance share; sourced with $name set to the script's name. POSIX sh: foretier-update runs it on the box too.
dry_run=
say() { echo "$name: $*" >&2; }
# Exit codes: 1 it failed, 2 something that was asked for cannot be, 3 refused for safety.
fail() { say "$*"; exit 1; }
usage_error() { say "$*; see --help"; exit 2; }
refuse() { say "refused: $*"; exit 3; }
# Does it, or with --dry-run tells it.
run() {
    if [ -n "$dry_run" ]; then echo "would run: $*"; else "$@"; fi
}
need() {
    for program in "$@"; do
        command -v "$program" >/dev/null || { say "$program is missing: apt-get install $(package_of "$program")"; exit 2; }
    done
}
package_of() {
    case $1 in
        mkimage) echo u-boot-tools ;; mke2fs | debugfs | resize2fs) echo e2fsprogs ;; mcopy) echo mtools ;; mkdosfs) echo dosfstools ;;
        qemu-system-aarch64) echo qemu-system-arm ;; nft) echo nftables ;; gpg) echo gnupg ;; *) echo "$1" ;;
    esac
}
# Versions are 1.2.3, numbers only, so that they have an order.
check_version() {
    case $1 in
        *[!0-9.]* | .* | *. | *..* | '') usage_error "'$1' is not a version like 1.2.3" ;;
    esac
}
# True where version $1 is older than $2.
is_older() { [ "$1" != "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }
