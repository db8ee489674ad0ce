// Drives the redirection and WS-Management modules of an installed MeshCentral against a port on loopback.
// Usage: node stock.js '{"mode": ..., "package": ..., "port": ..., ...}'; it prints what happens, one line each.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const path = require('path');
const vm = require('vm');

const o = JSON.parse(process.argv[2]);
const load = (...names) => require(path.join(o.package, ...names));
const say = (...words) => console.log(...words);
const md5 = (text) => crypto.createHash('md5').update(text, 'binary').digest('hex');

// The server's modules find a device through the server: one device, on a "CIRA channel" that is a socket.
function server() {
    const channel = {
        write(data) { channel.socket.write(Buffer.isBuffer(data) ? data : Buffer.from(data, 'binary')); },
        destroy() { channel.socket.destroy(); },
    };
    return {
        debugLevel: 0,
        certificateOperations: { forge: require(require.resolve('node-forge', { paths: [o.package] })) },
        db: { Get(id, got) { got(null, [{ _id: id, meshid: 'mesh//m', host: '127.0.0.1', intelamt: { user: o.user, pass: o.pass } }]); } },
        GetConnectivityState() { return { connectivity: 2 }; },
        mpsserver: {
            GetConnectionToNode() { return { tag: { boundPorts: [16994] } }; },
            SetupChannel() {
                channel.socket = net.connect({ port: o.port, host: '127.0.0.1', noDelay: true });
                channel.socket.on('connect', () => channel.onStateChange(null, 2));
                channel.socket.on('data', (data) => channel.onData(null, data.toString('binary')));
                channel.socket.on('close', () => channel.onStateChange(null, 0));
                channel.socket.on('error', () => { });
                return channel;
            },
        },
    };
}

// amt-ider-module.js behind amt-redir-mesh.js, as the server runs them.
function ider() {
    const stock = server();
    const module = load('amt', 'amt-ider-module.js').CreateAmtRemoteIder({}, stock);
    const error = module.diskSetup(o.floppy || null, o.image || null);
    if (error) { throw new Error('diskSetup ' + error); }
    module.iderStart = o.start || 0;
    const user = { name: 'u', links: { 'mesh//m': { rights: 8 } } };
    const redir = load('amt', 'amt-redir-mesh.js').CreateAmtRedirect(module, {}, user, { common: load('common.js') }, stock);
    redir.onStateChanged = (_, state) => {
        say('state', state);
        if (state == 0) { say('stats', module.bytesToAmt, module.bytesFromAmt); process.exit(0); }
    };
    redir.Start('node//n');
}

// A browser's WebSocket that is a socket, with MeshCentral's interceptor in between if that is asked for.
class Socket {
    constructor() {
        this.readyState = 0;
        this.socket = net.connect({ port: o.port, host: '127.0.0.1', noDelay: true });
        this.interceptor = null;
        if (o.interceptor) { this.interceptor = load('interceptor.js').CreateRedirInterceptor(o.interceptor); }
        this.socket.on('connect', () => { this.readyState = 1; this.onopen(); });
        this.socket.on('data', (data) => {
            if (this.interceptor) { data = this.interceptor.processAmtData(data); }
            if (data.length > 0) { this.onmessage({ data: data.buffer.slice(data.byteOffset, data.byteOffset + data.length) }); }
        });
        this.socket.on('close', () => { this.readyState = 3; this.onclose(); });
        this.socket.on('error', (e) => say('error', e.code));
    }
    send(data) {
        data = typeof data == 'string' ? Buffer.from(data, 'binary') : Buffer.from(data);
        if (this.interceptor) { data = this.interceptor.processBrowserData(data); }
        this.socket.write(data);
    }
    close() { this.socket.destroy(); }
}
Socket.OPEN = 1;

function browser(...scripts) {
    const context = vm.createContext({
        window: { location: { protocol: 'http:', host: '127.0.0.1', pathname: '/x' } },
        WebSocket: Socket, console, setInterval, clearInterval, setTimeout, clearTimeout, Uint8Array, DataView, ArrayBuffer,
        hex_md5: md5, rstr_md5: (text) => Buffer.from(md5(text), 'hex').toString('binary'),
    });
    for (const script of ['common-0.0.1.js', ...scripts]) {
        vm.runInContext(fs.readFileSync(path.join(o.package, 'public', 'scripts', script), 'utf8'), context, script);
    }
    return context;
}

// amt-redir-ws, with a module that types o.bytes and wants to see them on the screen.
function sol() {
    const sent = crypto.createHash('sha256'), got = crypto.createHash('sha256');
    let left = o.bytes, missing = o.bytes, redir;
    const type = () => {
        if (left == 0) { return; }
        const piece = crypto.randomBytes(Math.min(left, 1000)).toString('binary');
        left -= piece.length;
        sent.update(piece, 'binary');
        redir.Send(piece);
        setImmediate(type);
    };
    const module = {
        protocol: 1,
        xxStateChange(state) {
            say('state', state);
            if (state == 3) { type(); }
            if (state == 0) { process.exit(0); }
        },
        ProcessBinaryData(data) {
            got.update(Buffer.from(data));
            missing -= data.length;
            if (missing == 0) {
                say('echo', sent.digest('hex') == got.digest('hex'));
                redir.Stop();
            }
        },
    };
    redir = browser('amt-redir-ws-0.1.0.js').CreateAmtRedirect(module);
    redir.Start('h', 16994, o.user, o.pass, 0);
}

// amt-redir-ws, with a module that answers the version of an RFB server.
function kvm() {
    let redir;
    const module = {
        protocol: 2,
        xxStateChange(state) { say('state', state); if (state == 0) { process.exit(0); } },
        Start() { say('started'); },
        ProcessBinaryData(data) { say('server', JSON.stringify(Buffer.from(data).toString())); redir.Send('RFB 003.008\n'); },
    };
    redir = browser('amt-redir-ws-0.1.0.js').CreateAmtRedirect(module);
    redir.Start('h', 16994, o.user, o.pass, 0);
}

// amt-wsman-ws: o.calls requests, one after the other.
function http() {
    const comm = browser('amt-wsman-ws-0.2.0.js').CreateWsmanComm('h', 16992, o.user, o.pass, 0);
    let left = o.calls;
    const next = () => {
        if (left-- == 0) { process.exit(0); }
        comm.PerformAjax('<call n="' + left + '"/>', (data, status) => { say('answer', status, data); next(); }, null, 0, '/wsman', 'POST');
    };
    next();
}

({ ider, sol, kvm, http })[o.mode]();
