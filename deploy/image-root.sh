#!/bin/sh
# Makes the root of the container image: image-root.sh PROGRAM DIRECTORY. In it are the program, the shared libraries that it is
# linked with, certificates and an account; and of each Debian package that something is from, its licence and its status
# (scanners look for known weaknesses by /var/lib/dpkg/status.d).
set -eu
program=$1 root=$2

record() {
    name=${1%%:*}
    mkdir -p "$root/usr/share/doc/$name"
    dpkg-query -s "$1" >"$root/var/lib/dpkg/status.d/$name"
    cp -L "/usr/share/doc/$name/copyright" "$root/usr/share/doc/$name/"
}

owner() { dpkg -S "$1" | sed 's/: .*//; s/,.*//; q'; }

mkdir -p "$root/usr/bin" "$root/usr/lib/ssl" "$root/usr/lib64" "$root/etc/ssl/certs" "$root/var/lib/dpkg/status.d" \
         "$root/usr/share/doc/weir"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
cp "$program" "$root/usr/bin/weir"
cp LICENSE "$root/usr/share/doc/weir/copyright"

libraries=$(ldd "$program" | sed -n 's/.*[[:space:]]\(\/[^ ]*\) (0x.*/\1/p')
for library in $libraries; do
    path=/usr${library#/usr}                  # /lib is a link to /usr/lib
    mkdir -p "$root${path%/*}"
    cp -L "$path" "$root$path"
    package=$(owner "$path")
    record "${package:?}"
done

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"        # where OpenSSL looks (sslrootcert=system)
record ca-certificates
cp -L /etc/os-release "$root/etc/os-release"
record base-files
printf 'root:x:0:0:root:/:/nologin\nweir:x:65532:65532:Weir:/:/nologin\n' >"$root/etc/passwd"
printf 'root:x:0:\nweir:x:65532:\n' >"$root/etc/group"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
