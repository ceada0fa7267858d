#!/bin/sh
# Makes the stores in this directory, with OpenSSL and a JDK's keytool:
# once, since what tests read is committed.
set -eu
cd "$(dirname "$0")"
rm -f ./*.pem ./*.p12 ./*.jks

# One authority, one leaf with an RSA and one with an elliptic key.
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key.pem -out ca.pem \
	-days 36500 -subj '/C=NL/O=Klamm/CN=Test CA'
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key.pem
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.key.pem
for kind in rsa ec; do
	openssl req -new -key $kind.key.pem -subj "/O=Klamm/CN=$kind" |
		openssl x509 -req -CA ca.pem -CAkey ca.key.pem -days 36500 \
			-set_serial 0x$(openssl rand -hex 8) -out $kind.pem
	cat $kind.key.pem $kind.pem ca.pem >$kind.all.pem
done

# Keys in the formats that there are.
openssl rsa -traditional -in rsa.key.pem -out rsa.pkcs1.pem
openssl ec -in ec.key.pem -out ec.sec1.pem
openssl rsa -traditional -aes128 -passout pass:secret -in rsa.key.pem \
	-out rsa.pkcs1-secret.pem
openssl pkcs8 -topk8 -in rsa.key.pem -passout pass:secret \
	-out rsa.pkcs8-secret.pem
openssl pkcs8 -topk8 -v1 PBE-SHA1-3DES -in rsa.key.pem -passout pass:secret \
	-out rsa.pkcs8-3des-secret.pem

# PKCS12 by OpenSSL, as it is now and as it and keytool were, and without a
# certificate's mark that it is trusted.
openssl pkcs12 -export -inkey rsa.key.pem -in rsa.pem -certfile ca.pem \
	-name broker -passout pass:secret -out openssl.p12
openssl pkcs12 -export -legacy -inkey rsa.key.pem -in rsa.pem \
	-certfile ca.pem -name broker -passout pass:secret -out legacy.p12
openssl pkcs12 -export -nokeys -in ca.pem -passout pass:secret -out nokeys.p12

# keytool's.  Only JKS lets a key have a password of its own.
keytool -importkeystore -srckeystore openssl.p12 -srcstorepass secret \
	-destkeystore keytool.p12 -deststoretype PKCS12 -deststorepass secret
keytool -importkeystore -srckeystore openssl.p12 -srcstorepass secret \
	-srcalias broker -destkeystore keytool.jks -deststoretype JKS \
	-deststorepass secret -destkeypass another
for type in p12 jks; do
	name=$([ $type = p12 ] && echo PKCS12 || echo JKS)
	keytool -importcert -noprompt -alias ca -file ca.pem \
		-keystore trust.$type -storetype $name -storepass secret
done
keytool -J-Dkeystore.pkcs12.legacy -importcert -noprompt -alias ca \
	-file ca.pem -keystore trust-legacy.p12 -storetype PKCS12 \
	-storepass secret
rm -f ca.key.pem
