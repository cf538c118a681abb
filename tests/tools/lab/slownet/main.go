// slownet joins network namespaces by a network that is far away and loses packets, where the kernel has no
// netem. Each namespace gets a TUN device; what one sends reaches another after the delay, or never. Needs root.
//
//	slownet -delay 50ms -loss 0.01 -device far0 NAMESPACE=10.100.0.2 ...
//
// It prints "ready" when the devices are there; their addresses are up to the caller.
package main

import (
	"flag"
	"fmt"
	"math/rand"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	mtu       = 1500
	queueSize = 10000 // packets on their way to one device; more are dropped, as by a router
)

type packet struct {
	due  time.Time
	data []byte
}

type device struct {
	file  *os.File
	queue chan packet
}

// inNamespace opens a TUN device there. The thread that has gone there ends with its goroutine.
func inNamespace(namespace, name string) (*os.File, error) {
	type result struct {
		file *os.File
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		file, err := openTun(namespace, name)
		done <- result{file, err}
	}()
	r := <-done
	return r.file, r.err
}

func openTun(namespace, name string) (*os.File, error) {
	where, err := os.Open("/var/run/netns/" + namespace)
	if err != nil {
		return nil, err
	}
	defer where.Close()
	setns, known := map[string]uintptr{"amd64": 308, "arm64": 268}[runtime.GOARCH]
	if !known {
		return nil, fmt.Errorf("slownet does not know how to enter a namespace on %s", runtime.GOARCH)
	}
	if _, _, errno := syscall.RawSyscall(setns, where.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
		return nil, fmt.Errorf("entering %s: %w", namespace, errno)
	}
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	var request struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], name)
	request.flags = syscall.IFF_TUN | syscall.IFF_NO_PI
	if _, _, errno := syscall.RawSyscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TUNSETIFF, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return nil, fmt.Errorf("device %s in %s: %w", name, namespace, errno)
	}
	return os.NewFile(uintptr(fd), name), nil
}

func main() {
	delay := flag.Duration("delay", 50*time.Millisecond, "how long a packet takes")
	loss := flag.Float64("loss", 0.01, "the share of packets that never arrive")
	name := flag.String("device", "far0", "name of the devices")
	flag.Parse()
	devices := map[netip.Addr]*device{}
	for _, argument := range flag.Args() {
		namespace, address, _ := strings.Cut(argument, "=")
		ip, err := netip.ParseAddr(address)
		if err == nil {
			var file *os.File
			if file, err = inNamespace(namespace, *name); err == nil {
				devices[ip] = &device{file, make(chan packet, queueSize)}
			}
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "slownet:", err)
			os.Exit(1)
		}
	}
	for _, d := range devices {
		go deliver(d)
		go receive(d, devices, *delay, *loss)
	}
	fmt.Println("ready")
	select {}
}

func deliver(d *device) {
	for p := range d.queue {
		time.Sleep(time.Until(p.due))
		d.file.Write(p.data) // a device that is down loses it
	}
}

func receive(d *device, devices map[netip.Addr]*device, delay time.Duration, loss float64) {
	random := rand.New(rand.NewSource(rand.Int63()))
	buffer := make([]byte, mtu+100)
	for {
		n, err := d.file.Read(buffer)
		if err != nil {
			fmt.Fprintln(os.Stderr, "slownet:", err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if n < 20 || buffer[0]>>4 != 4 || random.Float64() < loss {
			continue
		}
		target := devices[netip.AddrFrom4([4]byte(buffer[16:20]))]
		if target == nil {
			continue
		}
		select {
		case target.queue <- packet{time.Now().Add(delay), append([]byte(nil), buffer[:n]...)}:
		default: // full
		}
	}
}
