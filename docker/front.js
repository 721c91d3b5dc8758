// Which pictures the image server makes, and how it is asked for them: the tiles and the sizes that
// an info.json names, of pyramids as the queue makes them. The API answers everything else.
//
// IIPImage 1.1 crashes on a region outside the image, enlarges unasked, and shows wrong colours of
// what it does not know (docs/decisions/0004-image-service.md). So nothing that a client wrote
// reaches it: what is asked is compared with the file first, and put in numbers of our own.
import fs from 'fs';

const TILE = 256;
const LONGEST_SIDE = 1024;  // MAX_CVT of the image server; it makes one picture at a time
const FEW = 64;
const PROFILE = 34675, LONGEST_PROFILE = 65535;  // of a longer one it says nothing
const CLASSIC = 0x002a4949, BIG = 0x002b4949;  // how a TIFF and a BigTIFF begin
const PROFILE_LINK = '<http://iiif.io/api/image/3/level2.json>;rel="profile"';
const WHOLE = '(?:0|[1-9][0-9]{0,8})';
const ASKED = new RegExp(
    `^(/iiif-img/(${WHOLE}/${WHOLE})/([^/?]+))/(full|${WHOLE},${WHOLE},${WHOLE},${WHOLE})` +
    `/(max|${WHOLE},(?:${WHOLE})?)/0/default\\.jpg(?:\\?|$)`);

// The query for the image server, or '' where the API is to answer. Sets $link, and $unchanged if
// the client has the picture.
function query(r) {
    const asked = r.variables.request_uri.match(ASKED);
    if (!asked || (r.method !== 'GET' && r.method !== 'HEAD')) {
        return '';
    }
    const id = decoded(asked[3]);
    const file = id && opened(`${r.variables.pictures}${asked[2]}/${id}.tif`);
    if (!file) {
        return '';
    }
    const full = file.levels[0];
    const region = asked[4] === 'full' ? [0, 0, full[0], full[1]] : asked[4].split(',').map(Number);
    const size = file.levels.length && sized(asked[5], region, file.levels);
    if (!size) {
        return '';
    }
    const all = region[2] === full[0] && region[3] === full[1];
    const place = all ? 'full' : region.join();
    const plain = size[0] === region[2] && size[1] === region[3];
    const canonical = `${place}/${plain ? 'max' : size.join()}/0/default.jpg`;
    const address = process.env.IIIFQ_PUBLIC_URL.replace(/\/+$/, '') + asked[1];
    r.variables.link = `<${address}/${canonical}>;rel="canonical",${PROFILE_LINK}`;
    r.variables.unchanged = r.headersIn['If-Modified-Since'] === file.modified ? '1' : '';
    // It decodes what it is given twice.
    const name = encodeURIComponent(encodeURIComponent(id));
    return `IIIF=${asked[2]}${file.spelling}${name}.tif/${place}/${size.join()}/0/default.jpg`;
}

// An id as it is in the store; null for one that is none, or that would not come through: the
// image server takes % for a place in a format of C.
function decoded(sent) {
    try {
        const id = decodeURIComponent(sent);
        return /[%\/\\\x00-\x1f\x7f]|\.\./.test(id) ? null : id;
    } catch (error) {
        return null;  // it is not UTF-8
    }
}

// Width and height of a region at the scale of a level; null for any other size.
function sized(asked, region, levels) {
    const x = region[0], y = region[1], width = region[2], height = region[3];
    if (!width || !height || x + width > levels[0][0] || y + height > levels[0][1]) {
        return null;
    }
    for (let level = 0, scale = 1; level < levels.length; level++, scale *= 2) {
        const size = [Math.ceil(width / scale), Math.ceil(height / scale)];
        if (asked === size.join() || asked === `${size[0]},` || (asked === 'max' && scale === 1)) {
            const whole = there(x / scale, size[0], levels[level][0]) &&
                there(y / scale, size[1], levels[level][1]);
            return whole && Math.max(size[0], size[1]) <= LONGEST_SIDE ? size : null;
        }
    }
    return null;
}

// Whether a level has these pixels along a side. Of a side that does not halve it lacks the last one:
// among few that is seen, and where there is no other the image server crashes.
function there(start, count, side) {
    return Number.isInteger(start) && (start + count <= side || count >= FEW);
}

// The levels of a pyramid's file, a spelling of the slash before its name, and its Last-Modified;
// null where there is no file.
function opened(path) {
    let fd;
    try {
        fd = fs.openSync(path);
    } catch (error) {
        if (error.code === 'ENOENT' || error.code === 'ENAMETOOLONG') {
            return null;
        }
        throw error;  // it is logged, and the API answers
    }
    try {
        const stat = fs.fstatSync(fd);
        const seconds = Math.floor(stat.mtimeMs / 1000);
        // The image server keeps the size that it first saw of a path. The same file by another
        // spelling of its path is another image to it: a new one for each version of the file.
        const version = (Math.floor(stat.mtimeMs) + stat.size) % 65536;
        const spelling = '/' + version.toString(2).replace(/0/g, '/').replace(/1/g, './');
        return {levels: pyramid(fd), spelling, modified: new Date(1000 * seconds).toUTCString()};
    } finally {
        fs.closeSync(fd);
    }
}

// The widths and heights of the levels, if they are as the queue makes them; else none. The file is
// a TIFF (6.0, section 2) or BigTIFF, in the order of bytes that libvips writes.
function pyramid(fd) {
    const head = bytes(fd, 0, 16);
    const kind = head.readUInt32LE(0);
    if (kind !== CLASSIC && kind !== BIG) {
        return [];
    }
    const big = kind === BIG;
    const levels = [];
    let at = big ? long(head, 8, 8) : long(head, 4, 4);
    while (at) {
        const directory = fields(fd, at, big);
        const last = levels[levels.length - 1];
        const size = [directory[256], directory[257]];
        const halved = !last || last.every((side, n) => size[n] === Math.max(1, side >> 1));
        if (!halved || !known(directory) || levels.length > 24) {
            return [];
        }
        levels.push(size);
        at = directory.next;
    }
    return levels;
}

// Whether a level is as activities/image.py has them made: tiles of JPEG, 8 bits, grey or RGB.
function known(directory) {
    const photometric = directory[262];  // 1 grey, 2 RGB, 6 YCbCr
    const samples = photometric === 1 ? 1 : 3;
    return directory[322] === TILE && directory[323] === TILE && directory[258] === 8 &&
        directory[259] === 7 && [1, 2, 6].includes(photometric) && directory[277] === samples &&
        (directory[284] || 1) === 1 && (directory[339] || 1) === 1 &&
        directory.profile <= LONGEST_PROFILE;
}

// The first value of each field of whole numbers in a directory, the length of its colour profile,
// and where the next directory is.
function fields(fd, at, big) {
    const wide = big ? 8 : 4, head = big ? 8 : 2, entry = big ? 20 : 12;
    const count = long(bytes(fd, at, head), 0, head);
    if (count > 100) {
        return {next: 0};
    }
    const table = bytes(fd, at + head, count * entry + wide);
    const found = {next: long(table, count * entry, wide), profile: 0};
    for (let field = 0; field < count; field++) {
        const start = field * entry, tag = table.readUInt16LE(start);
        const type = table.readUInt16LE(start + 2), values = long(table, start + 4, wide);
        if (tag === PROFILE) {
            found.profile = values;
        }
        const size = {3: 2, 4: 4}[type];
        if (size) {
            const value = start + 4 + wide;
            const inside = values * size <= wide;
            const from = inside ? table : bytes(fd, long(table, value, wide), size);
            found[tag] = long(from, inside ? value : 0, size);
        }
    }
    return found;
}

function bytes(fd, at, count) {
    const buffer = Buffer.alloc(count);
    if (fs.readSync(fd, buffer, 0, count, at) !== count) {
        throw new Error('cut short');
    }
    return buffer;
}

// An unsigned number of 2, 4 or 8 bytes.
function long(buffer, at, size) {
    if (size === 2) {
        return buffer.readUInt16LE(at);
    }
    const low = buffer.readUInt32LE(at);
    return size === 4 ? low : low + buffer.readUInt32LE(at + 4) * 4294967296;
}

export default {query};
