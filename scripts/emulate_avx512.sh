#!/usr/bin/env bash
# Runs a test program of a build on an emulated processor with AVX-512 (Bochs: Skylake-X), for machines without it. A
# minute of boot, then about a hundred times slower than the machine. Prints what the program prints.
#   scripts/emulate_avx512.sh BUILD PROGRAM [ARGUMENT...]
#   scripts/emulate_avx512.sh build/release tests/laws_bits_test '--gtest_filter=*PrintsTheDigest*'
# The digest of that one must be the digest of the same command run directly with PELLUCID_ISA=avx2.
# SECONDS_AT_MOST (3600) ends it. Needs these of Debian's packages, and downloads its cloud kernel into the work folder:
#   bochs bochs-term bochsbios vgabios isolinux syslinux-common xorriso busybox-static cpio
set -euo pipefail

if [ $# -lt 2 ]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
build=$(realpath "$1")
program=$2
shift 2
for tool in bochs xorriso busybox cpio; do
  command -v "$tool" >/dev/null || { echo "emulate_avx512: '$tool' is missing; see the head of $0" >&2; exit 1; }
done
work=$build/emulate
mkdir -p "$work"
cd "$work"
rm -rf root iso serial.txt
mkdir -p root/{bin,proc,sys,dev,tmp,lib64,here} iso/isolinux

# The kernel, once.
if [ ! -e vmlinuz ]; then
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')
  apt-get download "$package"
  dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x --wildcards './boot/vmlinuz-*' --strip-components=2
  mv vmlinuz-* vmlinuz
  rm "$package"_*.deb
fi

# A root file system in memory: a shell, the program, the libraries that it loads.
cp "$(command -v busybox)" root/bin/busybox
for name in sh mount sleep poweroff; do ln -s busybox "root/bin/$name"; done
cp -L "$build/$program" root/here/program
ldd "$build/$program" | awk '/=>/ {print $3} /ld-linux/ {print $1}' | while read -r library; do
  case $library in
    "$build"/*) cp -L "$library" root/here/ ;;
    *) mkdir -p "root$(dirname "$library")" && cp -L "$library" "root$library" ;;
  esac
done
strip root/here/program
find root/here -name "*.so*" -exec strip --strip-unneeded {} +
{
  echo '#!/bin/sh'
  echo 'mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mount -t tmpfs tmp /tmp'
  echo 'export LD_LIBRARY_PATH=/here PATH=/bin HOME=/tmp PELLUCID_ISA=avx512 PELLUCID_THREADS=1'
  printf '/here/program'
  printf " '%s'" "$@"
  printf '\necho "exit status $?"; sleep 2; poweroff -f\n'
} > root/init
chmod +x root/init
(cd root && find . | cpio -o -H newc 2>/dev/null) > iso/initrd
cp vmlinuz iso/vmlinuz
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 iso/isolinux/
# Bochs 2.7 misstates the size of the compacted XSAVE area, for which the kernel would give up AVX: bits 321 (xsavec) and
# 323 (xsaves) hide it.
cat > iso/isolinux/isolinux.cfg <<'END'
default run
prompt 0
label run
 kernel /vmlinuz
 append initrd=/initrd console=ttyS0 quiet mitigations=off nokaslr tsc=reliable lpj=1000000 noxsaves clearcpuid=321,323 panic=1 rdinit=/init
END
xorriso -as mkisofs -quiet -o boot.iso -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 \
  -boot-info-table iso 2>/dev/null

cat > bochsrc <<'END'
display_library: term
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
megs: 1024
cpu: model=corei7_skylake_x, count=1, ips=60000000, reset_on_triple_fault=0
ata0-master: type=cdrom, path=boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=serial.txt
clock: sync=none, time0=local
log: bochs.log
panic: action=fatal
END
echo c > commands # Debian's Bochs has its debugger built in, which waits for "continue"
TERM=xterm timeout "${SECONDS_AT_MOST:-3600}" script -qc 'stty cols 100 rows 40; bochs -q -f bochsrc -rc commands' \
  /dev/null < /dev/null > bochs.out 2>&1 || true
tr -d '\r' < serial.txt | grep -v '^\[ '
grep -q '^exit status 0' <(tr -d '\r' < serial.txt)
