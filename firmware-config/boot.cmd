# Chooses the OS slot: the first of BOOT_ORDER that has tries left. rauc sets a slot's tries back to 3 when its agent serves.
# make-disk fills in @KERNEL_ARGS@ and compiles this to boot.scr.
setenv BOOT_ORDER "A B"
setenv BOOT_A_LEFT 3
setenv BOOT_B_LEFT 3
if load ${devtype} ${devnum}:1 ${loadaddr} ab.env; then env import -c ${loadaddr} ${filesize} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT; fi
setenv slot none
for s in ${BOOT_ORDER}; do
  if test "${slot}" != "none"; then true;
  elif test "${s}" = "A"; then
    if test ${BOOT_A_LEFT} -gt 0; then setexpr BOOT_A_LEFT ${BOOT_A_LEFT} - 1; setenv slot A; setenv part 2; fi
  elif test "${s}" = "B"; then
    if test ${BOOT_B_LEFT} -gt 0; then setexpr BOOT_B_LEFT ${BOOT_B_LEFT} - 1; setenv slot B; setenv part 3; fi
  fi
done
if test "${slot}" = "none"; then echo "FORETIER: no slot has tries left: counters start again"; setenv BOOT_A_LEFT 3; setenv BOOT_B_LEFT 3; fi
env export -c -s 4000 ${loadaddr} BOOT_ORDER BOOT_A_LEFT BOOT_B_LEFT
fatwrite ${devtype} ${devnum}:1 ${loadaddr} ab.env 4000
if test "${slot}" = "none"; then reset; fi
echo "FORETIER: slot=${slot} order=${BOOT_ORDER} A=${BOOT_A_LEFT} B=${BOOT_B_LEFT}"
setenv bootargs "root=/dev/vda${part} ro rauc.slot=${slot} panic=10 systemd.volatile=state @KERNEL_ARGS@"
if load ${devtype} ${devnum}:${part} ${kernel_addr_r} /boot/Image; then
  if load ${devtype} ${devnum}:${part} ${ramdisk_addr_r} /boot/initrd.img; then
    booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}
  fi
fi
echo "FORETIER: slot ${slot} does not load"
sleep 1
reset
