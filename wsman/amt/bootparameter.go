package amt

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/meshcentral-go/sdk/wsman"
)

// BootParameterType says what a [BootParameter] is.
type BootParameterType uint16

// Types of parameters of one-click recovery, and how long their values may be.
const (
	BootParameterURL              BootParameterType = 1  // HTTPS address of the boot image, 300 bytes
	BootParameterFilePath         BootParameterType = 2  // EFI device path of the boot image, 300 bytes
	BootParameterFilePathLength   BootParameterType = 3  // length of that, 2 bytes
	BootParameterImageSHA256      BootParameterType = 4  // hash of the boot image, 32 bytes
	BootParameterImageSHA384      BootParameterType = 5  // 48 bytes
	BootParameterImageSHA512      BootParameterType = 6  // 64 bytes
	BootParameterOptionalData     BootParameterType = 10 // for the boot image, 50 bytes
	BootParameterSyncRootCA       BootParameterType = 20 // whether the BIOS takes AMT's roots, 1 byte
	BootParameterServerName       BootParameterType = 21 // name in the server's certificate, 256 bytes
	BootParameterNameVerification BootParameterType = 22 // how it is compared, 2 bytes
	BootParameterServerSHA256     BootParameterType = 23 // hash of the server's certificate, 32 bytes
	BootParameterServerSHA384     BootParameterType = 24 // 48 bytes
	BootParameterServerSHA512     BootParameterType = 25 // 64 bytes
	BootParameterTimeout          BootParameterType = 30 // seconds of a request, 2 bytes; 0 as the BIOS likes
	BootParameterUser             BootParameterType = 40 // name to log in with, 16 bytes
	BootParameterPassword         BootParameterType = 41 // password to log in with, 16 bytes
)

// longest returns how long the value may be; types that are not known may have any length.
func (t BootParameterType) longest() int {
	switch t {
	case BootParameterURL, BootParameterFilePath:
		return 300
	case BootParameterServerName:
		return 256
	case BootParameterImageSHA512, BootParameterServerSHA512:
		return 64
	case BootParameterOptionalData:
		return 50
	case BootParameterImageSHA384, BootParameterServerSHA384:
		return 48
	case BootParameterImageSHA256, BootParameterServerSHA256:
		return 32
	case BootParameterUser, BootParameterPassword:
		return 16
	case BootParameterFilePathLength, BootParameterNameVerification, BootParameterTimeout:
		return 2
	case BootParameterSyncRootCA:
		return 1
	}
	return maxBootParameters
}

const (
	bootParameterVendor = 0x8086
	bootParameterHead   = 8
	maxBootParameters   = 1024
)

// BootParameter is a parameter of one-click recovery: where the boot image is, and how to know that it is the right one. Its
// value is not printed, as it may be a password.
type BootParameter struct {
	Type  BootParameterType
	value wsman.Secret
}

// NewBootParameter returns a parameter with a value of bytes.
func NewBootParameter(t BootParameterType, value []byte) BootParameter {
	return BootParameter{Type: t, value: wsman.NewSecret(string(value))}
}

// NewBootText returns a parameter with a value of text: an address, a name, a password.
func NewBootText(t BootParameterType, text string) BootParameter {
	return BootParameter{Type: t, value: wsman.NewSecret(text)}
}

// NewBootNumber returns a parameter with a value of 2 bytes: a length, a timeout, a way to compare.
func NewBootNumber(t BootParameterType, n uint16) BootParameter {
	return NewBootParameter(t, binary.LittleEndian.AppendUint16(nil, n))
}

// Value returns the value.
func (p BootParameter) Value() []byte { return []byte(p.value.Reveal()) }

// none is no secret.
var none wsman.Secret

// SetBootParameters sets UEFIBootParametersArray and UEFIBootNumberOfParams. Without parameters it empties them.
func (s *BootSettingData) SetBootParameters(params ...BootParameter) error {
	var b []byte
	for _, p := range params {
		v := p.value.Reveal()
		if len(v) == 0 || len(v) > p.Type.longest() {
			return fmt.Errorf("amt: boot parameter %d has %d bytes, permitted are 1 to %d", p.Type, len(v), p.Type.longest())
		}
		b = binary.LittleEndian.AppendUint16(b, bootParameterVendor)
		b = binary.LittleEndian.AppendUint16(b, uint16(p.Type))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(v))) //nolint:gosec // at most 1024
		b = append(b, v...)
	}
	if len(b) > maxBootParameters {
		return fmt.Errorf("amt: boot parameters of %d bytes, permitted are %d", len(b), maxBootParameters)
	}
	s.UEFIBootNumberOfParams = uint16(len(params)) //nolint:gosec // each has at least 9 of 1024 bytes
	s.UEFIBootParametersArray = none
	if len(b) > 0 {
		s.UEFIBootParametersArray = wsman.NewSecret(base64.StdEncoding.EncodeToString(b))
	}
	return nil
}

// BootParameters returns the parameters of UEFIBootParametersArray.
func (s *BootSettingData) BootParameters() ([]BootParameter, error) {
	text := s.UEFIBootParametersArray.Reveal()
	if base64.StdEncoding.DecodedLen(len(text)) > maxBootParameters+2 {
		return nil, fmt.Errorf("amt: boot parameters of more than %d bytes", maxBootParameters)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("amt: boot parameters: %w", err)
	}
	var params []BootParameter
	for len(b) > 0 {
		if len(b) < bootParameterHead {
			return nil, fmt.Errorf("amt: boot parameter %d ends early", len(params))
		}
		vendor, typ, n := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:]), binary.LittleEndian.Uint32(b[4:])
		b = b[bootParameterHead:]
		if vendor != bootParameterVendor {
			return nil, fmt.Errorf("amt: boot parameter %d is of vendor %#x", len(params), vendor)
		}
		if uint64(n) > uint64(len(b)) {
			return nil, fmt.Errorf("amt: boot parameter %d ends early", len(params))
		}
		params = append(params, NewBootParameter(BootParameterType(typ), b[:n]))
		b = b[n:]
	}
	return params, nil
}
