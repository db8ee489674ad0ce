package desktop_test

import (
	"context"
	"fmt"
	"image"
	"image/color"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay/desktop"
)

func ExampleMessage() {
	b, err := desktop.Mouse{Action: desktop.MouseLeftDown, X: 100, Y: 50}.Append(nil)
	fmt.Printf("% x %v\n", b, err)
	m, err := desktop.ParseFromAgent([]byte{0, 7, 0, 8, 5, 0, 2, 0xD0})
	fmt.Printf("%+v %v\n", m, err)
	// Output:
	// 00 02 00 0a 00 02 00 64 00 32 <nil>
	// {Width:1280 Height:720} <nil>
}

// white is a screen that shows nothing.
type white struct{}

func (white) Capture(context.Context, uint16) (image.Image, error) {
	img := image.NewGray(image.Rect(0, 0, 320, 200))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	return img, nil
}

// A device shows its screen, and an operator looks at it. In a program the two ends are those of a tunnel.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	operator, device := msgconn.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = desktop.NewAgent(device, desktop.AgentConfig{Source: white{}}).Run(ctx)
	}()

	client := desktop.NewClient(operator, desktop.ClientConfig{})
	received := make(chan struct{})
	go func() {
		defer close(received)
		_ = client.Run(ctx)
	}()
	for client.Snapshot().RGBAAt(319, 199) != (color.RGBA{255, 255, 255, 255}) {
		if _, err := client.Wait(ctx); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println("white,", client.Snapshot().Rect.Size())
	operator.Close(msgconn.CloseNormal, "")
	<-served
	<-received
	// Output: white, (320,200)
}
