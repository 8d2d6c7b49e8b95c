// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title SM2 signature verification (GB/T 32918.2, curve of GB/T 32918.5)
/// @dev Points are in XYZZ coordinates: x = X/ZZ, y = Y/ZZZ, ZZ³ = ZZZ², ZZ = 0 at infinity, all below p. s·G + t·Q is computed two bits of
/// both scalars at a time from a table of the 15 sums i·G + j·Q; nothing is inverted: r is compared with X/ZZ by multiplication.
///
/// The addition formulas fail where both points have the same x, and where one is at infinity. Anybody can choose a key for which that
/// happens (a small multiple of G), so it must come out right. In each such case the formulas give ZZ = 0, and whatever is added to or
/// doubled from ZZ = 0 has ZZ = 0 again. So the fast loop looks at nothing, and where it ends with ZZ = 0, which honest keys never
/// see, the sum is computed again by a slow loop that distinguishes all cases.
library SM2 {
    uint256 internal constant P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF;
    uint256 internal constant N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123;
    uint256 internal constant B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93;
    uint256 internal constant GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7;
    uint256 internal constant GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0;

    /// @dev 2G and 3G, which every table holds.
    uint256 private constant GX2 = 0x56CEFD60D7C87C000D58EF57FA73BA4D9C0DFA08C08A7331495C2E1DA3F2BD52;
    uint256 private constant GY2 = 0x31B7E7E6CC8189F668535CE0F8EAF1BD6DE84C182F6C8E716F780D3A970A23C3;
    uint256 private constant GX3 = 0xA97F7CD4B3C993B4BE2DAA8CDB41E24CA13F6BD945302244E26918F1D0509EBF;
    uint256 private constant GY3 = 0x530B5DD88C688EF5CCC5CEC08A72150F7C400EE5CD045292AAACDD037458F6E6;

    uint256 private constant POINT = 128; // bytes of a point in memory
    uint256 private constant TABLE = 2048; // bytes of 16 points

    /// @dev ENTL ‖ ID ‖ a ‖ b ‖ Gx ‖ Gy: what precedes the key in Z, for the user id 1234567812345678.
    function zPrefix() internal pure returns (bytes memory) {
        return abi.encodePacked(uint16(128), "1234567812345678", P - 3, B, GX, GY);
    }

    /// @dev Whether y² = x³ - 3x + b with both coordinates below p. The curve's order is prime, so every such point is of order n.
    function isOnCurve(uint256 x, uint256 y) internal pure returns (bool) {
        if (x >= P || y >= P) return false;
        uint256 rhs = addmod(mulmod(addmod(mulmod(x, x, P), P - 3, P), x, P), B, P);
        return mulmod(y, y, P) == rhs;
    }

    /// @dev r‖s over e by (x, y). False for r or s outside [1, n - 1], r + s = 0 mod n, or a key off the curve.
    function verify(uint256 e, uint256 r, uint256 s, uint256 x, uint256 y) internal pure returns (bool) {
        if (r == 0 || s == 0 || r >= N || s >= N || !isOnCurve(x, y)) return false;
        uint256 t = addmod(r, s, N);
        if (t == 0) return false;
        uint256 table = _table(x, y);
        (uint256 px, uint256 pzz) = _combine(table, s, t);
        if (pzz == 0) (px, pzz) = _combineSlowly(table, s, t);
        if (pzz == 0) return false;
        // r = e + x mod n with x = X/ZZ in [0, p) says: x is w, or w + n where that is below p.
        uint256 w = addmod(r, N - e % N, N);
        return mulmod(w, pzz, P) == px || (w < P - N && mulmod(w + N, pzz, P) == px);
    }

    /// @dev Sixteen points: number i + 4j is i·G + j·Q.
    function _table(uint256 x, uint256 y) private pure returns (uint256 table) {
        assembly ("memory-safe") {
            table := mload(0x40)
            mstore(0x40, add(table, TABLE))
        }
        _put(table, 0, 0, 0);
        _put(table + POINT, GX, GY, 1);
        _put(table + 2 * POINT, GX2, GY2, 1);
        _put(table + 3 * POINT, GX3, GY3, 1);
        uint256 q = table + 4 * POINT;
        _put(q, x, y, 1);
        _double(q + 4 * POINT, q);
        _add(q + 8 * POINT, q + 4 * POINT, q);
        for (uint256 row = q; row < table + TABLE; row += 4 * POINT) {
            for (uint256 i = POINT; i < 4 * POINT; i += POINT) _add(row + i, row, table + i);
        }
    }

    /// @dev X and ZZ of s·G + t·Q; ZZ = 0 where the sum is infinity or an addition on the way met a case the formulas do not cover.
    function _combine(uint256 table, uint256 s, uint256 t) private pure returns (uint256 X, uint256 ZZ) {
        assembly ("memory-safe") {
            let p := P
            // The leading bits name the first point; neither scalar is 0, so there is one.
            let point := 0
            let bits := 256
            for { } iszero(point) { } {
                bits := sub(bits, 2)
                point := or(and(shl(7, shr(bits, s)), 0x180), and(shl(9, shr(bits, t)), 0x600))
            }
            point := add(table, point)
            X := mload(point)
            let Y := mload(add(point, 32))
            ZZ := mload(add(point, 64))
            let ZZZ := mload(add(point, 96))
            for { } bits { } {
                // Double, twice. The order of the statements keeps few values alive, so that all of them stay on the stack.
                let M := mulmod(3, mulmod(addmod(X, sub(p, ZZ), p), addmod(X, ZZ, p), p), p)
                let U := addmod(Y, Y, p)
                let V := mulmod(U, U, p)
                U := mulmod(U, V, p)
                ZZ := mulmod(V, ZZ, p)
                ZZZ := mulmod(U, ZZZ, p)
                V := mulmod(X, V, p)
                X := addmod(mulmod(M, M, p), mulmod(sub(p, 2), V, p), p)
                Y := addmod(mulmod(M, addmod(V, sub(p, X), p), p), mulmod(U, sub(p, Y), p), p)

                M := mulmod(3, mulmod(addmod(X, sub(p, ZZ), p), addmod(X, ZZ, p), p), p)
                U := addmod(Y, Y, p)
                V := mulmod(U, U, p)
                U := mulmod(U, V, p)
                ZZ := mulmod(V, ZZ, p)
                ZZZ := mulmod(U, ZZZ, p)
                V := mulmod(X, V, p)
                X := addmod(mulmod(M, M, p), mulmod(sub(p, 2), V, p), p)
                Y := addmod(mulmod(M, addmod(V, sub(p, X), p), p), mulmod(U, sub(p, Y), p), p)

                // Add the point that the next two bits of both scalars name.
                bits := sub(bits, 2)
                point := or(and(shl(7, shr(bits, s)), 0x180), and(shl(9, shr(bits, t)), 0x600))
                if point {
                    point := add(table, point)
                    X := mulmod(X, mload(add(point, 64)), p)
                    Y := mulmod(Y, mload(add(point, 96)), p)
                    U := addmod(mulmod(mload(point), ZZ, p), sub(p, X), p)
                    M := addmod(mulmod(mload(add(point, 32)), ZZZ, p), sub(p, Y), p)
                    V := mulmod(U, U, p)
                    U := mulmod(U, V, p)
                    ZZ := mulmod(mulmod(ZZ, mload(add(point, 64)), p), V, p)
                    ZZZ := mulmod(mulmod(ZZZ, mload(add(point, 96)), p), U, p)
                    V := mulmod(X, V, p)
                    X := addmod(addmod(mulmod(M, M, p), sub(p, U), p), mulmod(sub(p, 2), V, p), p)
                    Y := addmod(mulmod(M, addmod(V, sub(p, X), p), p), mulmod(U, sub(p, Y), p), p)
                }
            }
        }
    }

    /// @dev X and ZZ of s·G + t·Q, right in every case; bit by bit with complete operations.
    function _combineSlowly(uint256 table, uint256 s, uint256 t) private pure returns (uint256 X, uint256 ZZ) {
        for (uint256 bits = 256; bits > 0;) {
            --bits;
            _double(table, table);
            if ((s >> bits) & 1 == 1) _add(table, table, table + POINT);
            if ((t >> bits) & 1 == 1) _add(table, table, table + 4 * POINT);
        }
        assembly ("memory-safe") {
            X := mload(table)
            ZZ := mload(add(table, 64))
        }
    }

    /// @dev to = a + b for points in memory, in every case; b is affine (ZZ = 1) or infinity. to may be a.
    function _add(uint256 to, uint256 a, uint256 b) private pure {
        bool same;
        assembly ("memory-safe") {
            let p := P
            let ZZ := mload(add(a, 64))
            switch or(iszero(ZZ), iszero(mload(add(b, 64))))
            case 1 {
                if iszero(ZZ) { a := b }
                mcopy(to, a, POINT)
            }
            default {
                let X := mload(a)
                let Y := mload(add(a, 32))
                let ZZZ := mload(add(a, 96))
                let H := addmod(mulmod(mload(b), ZZ, p), sub(p, X), p)
                let R := addmod(mulmod(mload(add(b, 32)), ZZZ, p), sub(p, Y), p)
                same := iszero(or(H, R))
                // H = 0 alone means opposite points, and ZZ becomes 0 as it must.
                let V := mulmod(H, H, p)
                H := mulmod(H, V, p)
                mstore(add(to, 64), mulmod(ZZ, V, p))
                mstore(add(to, 96), mulmod(ZZZ, H, p))
                V := mulmod(X, V, p)
                X := addmod(addmod(mulmod(R, R, p), sub(p, H), p), mulmod(sub(p, 2), V, p), p)
                mstore(to, X)
                mstore(add(to, 32), addmod(mulmod(R, addmod(V, sub(p, X), p), p), mulmod(H, sub(p, Y), p), p))
            }
        }
        if (same) _double(to, b);
    }

    /// @dev to = 2a for points in memory. Infinity stays infinity; the order is odd, so nothing else doubles to it. to may be a.
    function _double(uint256 to, uint256 a) private pure {
        assembly ("memory-safe") {
            let p := P
            let X := mload(a)
            let Y := mload(add(a, 32))
            let ZZ := mload(add(a, 64))
            let U := addmod(Y, Y, p)
            let V := mulmod(U, U, p)
            U := mulmod(U, V, p)
            let M := mulmod(3, mulmod(addmod(X, sub(p, ZZ), p), addmod(X, ZZ, p), p), p)
            mstore(add(to, 64), mulmod(V, ZZ, p))
            mstore(add(to, 96), mulmod(U, mload(add(a, 96)), p))
            V := mulmod(X, V, p)
            X := addmod(mulmod(M, M, p), mulmod(sub(p, 2), V, p), p)
            mstore(to, X)
            mstore(add(to, 32), addmod(mulmod(M, addmod(V, sub(p, X), p), p), mulmod(U, sub(p, Y), p), p))
        }
    }

    function _put(uint256 to, uint256 x, uint256 y, uint256 z) private pure {
        assembly ("memory-safe") {
            mstore(to, x)
            mstore(add(to, 32), y)
            mstore(add(to, 64), z)
            mstore(add(to, 96), z)
        }
    }
}
