package sealing

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	sessionKeyBytes   = 32
	lengthPrefixBytes = 2
)

// ErrTooShort says that a ciphertext ends before its parts do.
var ErrTooShort = errors.New("the ciphertext is too short")

// errRefused says no more than that a key and a label do not open a ciphertext.
var errRefused = errors.New("the key does not open the ciphertext under this label")

// Encrypt makes the envelope of a plaintext, bound to a label (contract A3).
func Encrypt(random io.Reader, key *rsa.PublicKey, plaintext []byte, label string) ([]byte, error) {
	session := make([]byte, sessionKeyBytes)
	if _, err := io.ReadFull(random, session); err != nil {
		return nil, fmt.Errorf("making a session key: %w", err)
	}
	sealedSession, err := rsa.EncryptOAEP(sha256.New(), random, key, session, []byte(label))
	if err != nil {
		return nil, fmt.Errorf("encrypting the session key: %w", err)
	}
	gcm, nonce, err := cipherOf(session)
	if err != nil {
		return nil, err
	}
	envelope := make([]byte, lengthPrefixBytes, lengthPrefixBytes+len(sealedSession)+len(plaintext)+gcm.Overhead())
	binary.BigEndian.PutUint16(envelope, uint16(len(sealedSession))) //nolint:gosec // G115: as long as the modulus, at most 2 KiB
	return gcm.Seal(append(envelope, sealedSession...), nonce, plaintext, nil), nil
}

// decrypt opens an envelope with one key. Why it fails is not told apart, so that nothing can be learnt from it.
func decrypt(key *rsa.PrivateKey, envelope []byte, label string) ([]byte, error) {
	sealedSession, sealed, err := split(envelope)
	if err != nil {
		return nil, err
	}
	if len(sealedSession) != key.Size() {
		return nil, errRefused
	}
	session, err := rsa.DecryptOAEP(sha256.New(), nil, key, sealedSession, []byte(label))
	if err != nil || len(session) != sessionKeyBytes {
		return nil, errRefused
	}
	gcm, nonce, err := cipherOf(session)
	if err != nil {
		return nil, errRefused
	}
	plaintext, err := gcm.Open([]byte{}, nonce, sealed, nil) // an empty value is a value
	if err != nil {
		return nil, errRefused
	}
	return plaintext, nil
}

// split takes an envelope apart into the encrypted session key and the encrypted plaintext.
func split(envelope []byte) (session, sealed []byte, err error) {
	if len(envelope) < lengthPrefixBytes {
		return nil, nil, ErrTooShort
	}
	end := lengthPrefixBytes + int(binary.BigEndian.Uint16(envelope))
	if len(envelope) < end {
		return nil, nil, ErrTooShort
	}
	return envelope[lengthPrefixBytes:end], envelope[end:], nil
}

// cipherOf is the cipher of a session key, with its nonce: all zero, since the key is used once.
func cipherOf(session []byte) (cipher.AEAD, []byte, error) {
	block, err := aes.NewCipher(session)
	if err != nil {
		return nil, nil, fmt.Errorf("making the cipher: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, nil, fmt.Errorf("making the cipher: %w", err)
	}
	return gcm, make([]byte, gcm.NonceSize()), nil
}
